"""Creates reproducible archives: the same files give the same bytes."""

import hashlib
import os
import subprocess
import sys
import zipfile
from pathlib import Path

#: The earliest time of the ZIP format; archives must not depend on the time of staging.
_MOMENT = (1980, 1, 1, 0, 0, 0)

#: Runs in a separate process without other modules: objects in memory change the bytes that Python writes.
_COMPILE = """
import py_compile, sys
for path in sys.stdin.read().splitlines():
    py_compile.compile(path, dfile=path, doraise=True, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
"""


def compile_bytecode(folder: Path) -> None:
    """Write the bytecode of every module below `folder` into its `__pycache__`.

    Its validity is not checked when it is loaded (unchecked-hash): an archive is never edited, the time stamps in it
    mean nothing, and skipping the check of the source starts fastest. A runtime with another version of Python ignores
    it.
    """
    paths = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.py"))
    environment = {"PYTHONHASHSEED": "0", "PATH": os.environ.get("PATH", "")}
    command = [sys.executable, "-I", "-S", "-c", _COMPILE]
    subprocess.run(command, input="\n".join(paths), text=True, cwd=folder, env=environment, check=True)


def write_archive(folder: Path, target_folder: Path) -> Path:
    """Zip `folder` and return the archive, named by the folder and the digest of the archive's bytes.

    The files are stored, not compressed: compressed bytes depend on the version of zlib, models hardly shrink, and the
    source is small.
    """
    draft = target_folder / f".{folder.name}.zip"
    with zipfile.ZipFile(draft, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(each for each in folder.rglob("*") if each.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), date_time=_MOMENT)
            entry.external_attr = 0o100644 << 16
            entry.create_system = 3  # Unix, on every machine
            archive.writestr(entry, path.read_bytes())
    digest = hashlib.sha256(draft.read_bytes()).hexdigest()[:16]
    return draft.replace(target_folder / f"{folder.name}-{digest}.zip")
