"""Dependencies point inwards, and the dispatcher stays light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

#: Which modules a layer may import from `shared`; the layers stand from the inside out.
DOMAIN = ("errors", "parameters", "messages", "pipeline", "measurements", "formats", "sizes", "presets", "history",
          "job", "planner", "manifest", "topology", "callbacks", "trace", "review")  # fmt: skip
FORBIDDEN_IN_DOMAIN = ("google", "numpy", "cv2", "PIL", "onnxruntime", "os", "flask", "functions_framework", "sqlite3")


def imports_of(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


@pytest.mark.parametrize("module", DOMAIN)
def test_the_domain_imports_neither_services_nor_pixels_nor_the_environment(module: str) -> None:
    names = imports_of(ROOT / "shared" / f"{module}.py")
    assert [name for name in names if any(within(name, bad) for bad in FORBIDDEN_IN_DOMAIN)] == []
    inner = [f"shared.{name}" for name in DOMAIN]
    ours = [
        name for name in names if within(name, "shared") and name.count(".") == 1 and name != "darkroom.__version__"
    ]
    assert [name for name in ours if not any(within(name, good) for good in inner)] == []


@pytest.mark.parametrize("path", sorted((ROOT / "shared" / "catalogue").glob("*.py")), ids=lambda path: path.stem)
def test_the_catalogue_is_domain_too(path: Path) -> None:
    names = imports_of(path)
    assert [name for name in names if any(within(name, bad) for bad in FORBIDDEN_IN_DOMAIN)] == []
    inner = ["darkroom.domain.products", *(f"shared.{name}" for name in DOMAIN)]
    assert [name for name in names if within(name, "shared") and not any(within(name, good) for good in inner)] == []


@pytest.mark.parametrize("package", ["handlers", "stages", "imaging", "inference"])
def test_nothing_inside_imports_an_adapter(package: str) -> None:
    for path in (ROOT / "shared" / package).rglob("*.py"):
        assert [name for name in imports_of(path) if within(name, "darkroom.adapters")] == [], path


def test_stages_and_imaging_know_no_ports_and_no_jobs() -> None:
    for package in ("stages", "imaging"):
        for path in (ROOT / "shared" / package).rglob("*.py"):
            outer = (
                "darkroom.runtime.ports",
                "darkroom.domain.job",
                "darkroom.handlers",
                "darkroom.domain.planner",
                "darkroom.runtime.bootstrap",
            )
            assert [name for name in imports_of(path) if any(within(name, bad) for bad in outer)] == [], path


def test_only_the_bootstrap_the_command_line_and_the_local_cloud_build_adapters() -> None:
    allowed = ("bootstrap.py", "adapters", "local_cloud", "cli")
    for path in (ROOT / "shared").rglob("*.py"):
        if path.relative_to(ROOT / "shared").parts[0] not in allowed:
            assert [name for name in imports_of(path) if within(name, "darkroom.adapters")] == [], path


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


def test_importing_any_module_builds_nothing() -> None:
    """No client, no file, no thread: every module of `shared` can be imported in an empty environment."""
    names = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in (ROOT / "shared").rglob("*.py")
        if path.name != "__main__.py"
    ]
    lines = ("import importlib, threading", f"for n in {names!r}: importlib.import_module(n)")
    code = "\n".join((*lines, "print(threading.active_count())"))
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "", "PYTHONPATH": str(ROOT)},
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "1", "")
