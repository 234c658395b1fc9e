"""Optional packages, and the extras of this package that install them."""

from importlib.util import find_spec

from darkroom.domain.errors import ConfigurationError

#: Extra that installs a module, by the module's top-level name.
EXTRAS = {"google": "gcp", "requests": "gcp", "urllib3": "gcp", "onnx": "networks"}


def missing_extra(error: ModuleNotFoundError) -> ConfigurationError | None:
    """The error that names the extra to install, or None if no extra has the missing module."""
    name = error.name or ""
    extra = EXTRAS.get(name.partition(".")[0])
    return _not_installed(name, extra) if extra else None


def require_modules(extra: str, *names: str) -> None:
    """Check that the modules of an extra are installed. Raises ConfigurationError that names the extra."""
    for name in names:
        if not _installed(name):
            raise _not_installed(name, extra)


def _installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # a package above it is missing
        return False


def _not_installed(name: str, extra: str) -> ConfigurationError:
    return ConfigurationError(f"the module {name} is not installed: pip install 'darkroom[{extra}]'")
