"""Stages one function, or all of them."""

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.staging.archive import compile_bytecode, write_archive
from infra.staging.networks import Deployed, size_for
from infra.staging.reach import SOURCES, functions, reach
from infra.staging.registry import Models, models_for
from infra.staging.requirements import needed, read_pins
from infra.staging.sbom import ENDING, bill_of_materials

#: What Terraform reads.
MANIFEST = "staged.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """A function that can be deployed."""

    function: str
    folder: Path
    archive: Path
    #: Bytes of source and bytecode, of models, and of the archive.
    code_bytes: int
    model_bytes: int
    archive_bytes: int
    #: The software bill of materials, beside the archive.
    bill: Path
    #: Pins with their hashes.
    requirements: tuple[str, ...]
    #: Installed networks that it uses by default.
    deployed: tuple[Deployed, ...] = ()

    @property
    def manifest_entry(self) -> Mapping[str, object]:
        """The values for Terraform: `size` differs from the default of its kind where a network needs more."""
        size = size_for([each.cost for each in self.deployed if each.cost])
        return {"archive": self.archive.name, "size_bytes": self.archive_bytes} | ({"size": size} if size else {})


def stage(root: Path, function: str, target: Path, *, deployed: Sequence[Deployed] = ()) -> Staged:
    """Make `target/<function>/` and its archive anew, with those of the installed networks that are its stage's."""
    folder = target / function
    shutil.rmtree(folder, ignore_errors=True)
    for old in (*target.glob(f"{function}-*.zip"), *target.glob(f"{function}-*{ENDING}")):
        old.unlink()
    reached = reach(root, function)
    _copy(root, Path("functions") / function / "main.py", folder / "main.py")
    for path in (*reached.files, *_data_beside(root, reached.files)):
        _copy(root, path, folder / path.relative_to(SOURCES))
    compile_bytecode(folder)
    code_bytes = _size(folder)
    models = models_for(root, function, deployed)
    model_bytes = _write_models(root, models, folder / "darkroom" / "models")
    lines = needed(reached.foreign, read_pins(root))
    (folder / "requirements.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    archive = write_archive(folder, target)
    bill = archive.with_suffix(ENDING)
    bill.write_text(bill_of_materials(folder, lines, archive), encoding="utf-8")
    return Staged(
        function=function,
        folder=folder,
        archive=archive,
        bill=bill,
        code_bytes=code_bytes,
        model_bytes=model_bytes,
        archive_bytes=archive.stat().st_size,
        requirements=tuple(lines),
        deployed=models.deployed,
    )


def stage_all(root: Path, target: Path, *, deployed: Sequence[Deployed] = ()) -> list[Staged]:
    """Stage every function and write the manifest of the archives for Terraform."""
    target.mkdir(parents=True, exist_ok=True)
    staged = [stage(root, function, target, deployed=deployed) for function in functions(root)]
    entries = {each.function: each.manifest_entry for each in staged}
    (target / MANIFEST).write_text(json.dumps({"functions": entries}, indent=2) + "\n", encoding="utf-8")
    return staged


def _data_beside(root: Path, modules: Iterable[Path]) -> list[Path]:
    """Files in the modules' folders that are not code: prices, pages, tables."""
    folders = {path.parent for path in modules}
    found = (path for folder in folders for path in (root / folder).iterdir() if path.is_file())
    return sorted(path.relative_to(root) for path in found if path.suffix not in (".py", ".pyc"))


def _copy(root: Path, source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(root / source, target)


def _write_models(root: Path, models: Models, folder: Path) -> int:
    for file in models.files:
        _copy(root, Path("models") / file, folder / file)
    for each in models.deployed:
        _copy(root, each.path, folder / each.file)
    folder.mkdir(exist_ok=True)
    (folder / "registry.toml").write_text(models.registry, encoding="utf-8")
    carried = (*models.files, *(each.file for each in models.deployed))
    return sum((folder / file).stat().st_size for file in carried)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
