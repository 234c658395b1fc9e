"""Dependencies point inwards, the dispatcher stays light, and importing builds nothing."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "shared" / "darkroom"

#: What each part of the package may import from the package; every part may import itself and `domain`.
ALLOWED: dict[str, tuple[str, ...]] = {
    "domain": (),
    "imaging": (),
    "auth": ("runtime",),
    "inference": ("imaging", "runtime", "networks"),
    "networks": ("runtime",),
    "stages": ("imaging",),
    "execution": ("runtime", "stages", "imaging", "inference"),
    "handlers": ("runtime", "execution", "stages", "imaging", "inference"),
    "outbound": ("runtime",),
    "adapters": ("runtime",),
    "importer": ("runtime", "auth", "handlers", "outbound"),
    "costs": ("runtime", "inference"),
}
#: What the domain must not know: services, pixels, the environment.
FORBIDDEN_IN_DOMAIN = ("google", "numpy", "cv2", "PIL", "onnxruntime", "os", "flask", "functions_framework", "sqlite3")
#: Parts that may build adapters: the wiring, and programs on one machine.
BUILDERS = ("runtime.bootstrap", "adapters", "local_cloud", "cli")


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def dotted(path: Path) -> str:
    """The module's name below `darkroom`."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


def imports_of(path: Path) -> Iterator[str]:
    """Every module that is imported anywhere in the file, relative imports resolved, names of `from` imports too."""
    package = ["darkroom", *path.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def parts_imported(path: Path) -> set[str]:
    """The parts of the package that a module imports."""
    ours = (name for name in imports_of(path) if within(name, "darkroom"))
    names = {name.split(".")[1] for name in ours if name.count(".")}
    return {name for name in names if (PACKAGE / name).is_dir()}


@pytest.mark.parametrize("part", ALLOWED)
def test_a_part_imports_only_what_lies_further_inside(part: str) -> None:
    allowed = {part, "domain", *ALLOWED[part]}
    found = {dotted(path): parts_imported(path) - allowed for path in (PACKAGE / part).rglob("*.py")}
    assert {name: parts for name, parts in found.items() if parts} == {}


def test_the_domain_imports_neither_services_nor_pixels_nor_the_environment() -> None:
    for path in (PACKAGE / "domain").rglob("*.py"):
        names = list(imports_of(path))
        assert [name for name in names if any(within(name, bad) for bad in FORBIDDEN_IN_DOMAIN)] == [], path


def test_only_the_bootstrap_the_command_line_and_the_local_cloud_build_adapters() -> None:
    for path in modules():
        if not any(within(dotted(path), part) for part in BUILDERS):
            assert [name for name in imports_of(path) if within(name, "darkroom.adapters")] == [], path


def test_nothing_imports_the_tests() -> None:
    for path in modules():
        assert [name for name in imports_of(path) if within(name, "tests")] == [], path


def test_the_check_sees_every_kind_of_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "PACKAGE", tmp_path)
    (tmp_path / "handlers").mkdir()
    path = tmp_path / "handlers" / "example.py"
    path.write_text(
        "import darkroom.a.b\nfrom darkroom.c.d import e\nfrom darkroom.f import g\nfrom darkroom import h\n"
        "from ..i import j\nfrom . import k\ndef late():\n    from darkroom.l.m import n\n"
    )
    expected = ("a.b", "c.d", "c.d.e", "f", "f.g", "h", "i", "i.j", "handlers", "handlers.k", "l.m", "l.m.n")
    assert {f"darkroom.{name}" for name in expected} <= set(imports_of(path))


def test_the_dispatcher_imports_no_pixel_library() -> None:
    code = (
        "import sys, importlib.util as u;"
        "s = u.spec_from_file_location('main', 'functions/dispatcher/main.py');"
        "m = u.module_from_spec(s); s.loader.exec_module(m);"
        "heavy = ('numpy', 'cv2', 'PIL', 'onnxruntime', 'google.cloud.storage', 'sqlite3');"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


#: Imports every module while Python reports what is opened, connected or started.
IMPORT_ALL = """
import importlib, os, sys, threading
built = []
def watch(event, arguments):
    if event == "open":
        writes = arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) if isinstance(arguments[2], int) else 0
        if writes and not str(arguments[0]).endswith("/dev/null"):
            built.append(("file", str(arguments[0])))
    elif event in ("socket.connect", "socket.bind", "subprocess.Popen", "os.mkdir", "sqlite3.connect"):
        built.append((event, str(arguments[:1])))
sys.dont_write_bytecode = True
sys.addaudithook(watch)
for name in NAMES:
    importlib.import_module(name)
for name, module in list(sys.modules.items()):
    if name.startswith("darkroom"):
        for key, value in vars(module).items():
            kind = type(value)
            if kind.__module__.startswith(("google.cloud", "sqlite3", "onnxruntime")) and kind.__name__.endswith(
                ("Client", "Connection", "InferenceSession")
            ):
                built.append(("client", f"{name}.{key}"))
print(threading.active_count(), built)
"""


def test_importing_any_module_builds_no_client_no_file_and_no_thread() -> None:
    names = ["darkroom." + dotted(path) if dotted(path) else "darkroom" for path in modules()]
    names = [name for name in names if not name.endswith("__main__")]
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL.replace("NAMES", repr(names))],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "", "PYTHONPATH": str(ROOT / "shared")},
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "1 []", "")
