"""The real paths of many files in few folders, without symbolic links."""

from pathlib import Path


class RealPaths:
    """Resolves paths; each folder is resolved once, whatever its depth and its number of files."""

    def __init__(self) -> None:
        self._known: dict[Path, Path] = {}

    def folder(self, folder: Path) -> Path:
        """The real path of a folder, which need not exist."""
        pending, path = [], Path.cwd() / folder
        while path not in self._known and path.parent != path:
            pending.append(path)
            path = path.parent
        real = self._known.get(path, path)
        for path in reversed(pending):
            real = self._known[path] = _below(real, path.name)
        return real

    def entry(self, path: Path) -> Path:
        """The path of an entry in its real folder; a symbolic link stays one."""
        return self.folder(path.parent) / path.name

    def file(self, path: Path) -> Path:
        """The real path of a file."""
        return _below(self.folder(path.parent), path.name)


def _below(folder: Path, name: str) -> Path:
    """The real path of `name` in the real path `folder`."""
    if name == "..":
        return folder.parent
    path = folder / name
    return path.resolve() if path.is_symlink() else path
