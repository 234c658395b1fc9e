"""Selects the input files of `darkroom run` and the paths of their results.

Computed as a value before anything is done:

    darkroom run photo.jpg -o out        out/photo.jpg
    darkroom run photos -o out           photos/1931/a.jpg → out/1931/a.jpg
    darkroom run photos more -o out      photos/1931/a.jpg → out/photos/1931/a.jpg
    darkroom run photo.jpg -o other.png  other.png

Two pictures of one folder whose results would have the same name both keep their own ending: `a.png` and `a.jpg`,
written as JPEG, become `a.png.jpg` and `a.jpg.jpg`. If one of the two results is there already, its name stays.
"""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from darkroom.cli.support.real_paths import RealPaths
from darkroom.domain.errors import BadImage
from darkroom.domain.formats import EXTENSIONS, FORMAT_OF_SUFFIX, PICTURE_SUFFIXES, SUBSTITUTES, output_format
from darkroom.domain.parameters import FinishParameters

#: Why an entry of a folder is not worked on.
WhyLeftOut = Literal["no picture", "link to a folder", "link to nothing", "neither file nor folder"]
#: Bytes of a file that are read to detect its format.
_HEAD_BYTES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A file to process."""

    source: Path
    #: The result's path below the output folder, with the ending of the source.
    relative: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """An entry of a folder that is not worked on."""

    path: Path
    why: WhyLeftOut


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """The files in the inputs."""

    found: tuple[Found, ...]
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The path of a result."""

    source: Path
    #: The result's path without the ending, or with it if `fixed`.
    stem: Path
    #: Formats that the result may have; its transparency decides between them.
    formats: frozenset[str]
    #: Whether the user chose the path.
    fixed: bool = False

    def path(self, name: str) -> Path:
        """The result's path if it has the format `name`."""
        return self.stem if self.fixed else _with_ending(self.stem, EXTENSIONS[name])

    @property
    def manifest(self) -> Path:
        return self.stem.with_suffix(".json") if self.fixed else _with_ending(self.stem, "json")

    @property
    def results(self) -> frozenset[Path]:
        return frozenset(self.path(name) for name in self.formats)


def search(inputs: Sequence[Path], output: Path) -> Search:
    """The pictures among the inputs and in their folders by name, each once, without `output` and hidden files."""
    #: By the path in the real folder: one for a file that is named in two ways, a further one for a symbolic link.
    found: dict[Path, Found] = {}
    left_out: list[LeftOut] = []
    paths = RealPaths()
    for each in inputs:
        if not each.is_dir():
            found.setdefault(paths.entry(each), Found(source=each, relative=Path(each.name)))
            continue
        root = Path(each.resolve().name) if len(inputs) > 1 else Path()
        for path, why in _entries(each, paths, output=paths.file(output)):
            if why is None and _is_picture(path):
                found.setdefault(paths.entry(path), Found(source=path, relative=root / path.relative_to(each)))
            else:
                left_out.append(LeftOut(path=path, why=why or "no picture"))
    return Search(found=tuple(found.values()), left_out=tuple(left_out))


def targets(found: Iterable[Found], output: Path, finish: FinishParameters, *, cut_out: bool) -> list[Target]:
    """The path of each result; `cut_out` states that a stage may make pictures transparent."""
    return [
        Target(
            source=each.source,
            stem=output / each.relative.with_suffix(""),
            formats=_possible_formats(each.source, finish, cut_out=cut_out),
        )
        for each in found
    ]


def disentangled(planned: Sequence[Target], *, manifest: bool) -> list[Target]:
    """The same targets, with longer names for those that would write the same file."""
    chosen = list(planned)
    while True:
        taken = Counter(path for each in chosen for path in _written(each, manifest=manifest))
        shared = {path for path, count in taken.items() if count > 1}
        clashing = [
            not _is_long(each) and bool(shared & _written(each, manifest=manifest)) and not _is_settled(each, chosen)
            for each in chosen
        ]
        if not any(clashing):
            return chosen
        chosen = [_lengthened(each) if clash else each for each, clash in zip(chosen, clashing, strict=True)]


def conflicts(planned: Iterable[Target], *, manifest: bool) -> list[str]:
    """Sentences about results that would overwrite each other or an input."""
    planned = list(planned)
    paths = RealPaths()
    inputs = {paths.file(each.source) for each in planned}
    writers: dict[Path, Path] = {}
    problems = []
    for each in planned:
        for path in sorted(_written(each, manifest=manifest)):
            if paths.file(path) in inputs:
                problems.append(f"the result of {each.source} would overwrite the input {path}")
            first = writers.setdefault(path, each.source)
            if first != each.source:
                problems.append(f"{first} and {each.source} would both become {path}")
    return problems


def _written(target: Target, *, manifest: bool) -> frozenset[Path]:
    return target.results | ({target.manifest} if manifest else frozenset())


def _is_long(target: Target) -> bool:
    return target.fixed or target.stem.name == target.source.name


def _is_settled(target: Target, planned: Sequence[Target]) -> bool:
    """Whether a result of the target is there already, and was made before the other sources of its name were.

    The entry's last change is the time of arrival; the file's modification time may be older.
    """
    made = [path.stat().st_mtime_ns for path in target.results if path.exists()]
    if not made:
        return False
    rivals = [each for each in planned if each is not target and each.results & target.results]
    if not rivals or any(_is_long(each) for each in rivals):
        return False
    return _arrival(target) <= max(made) < min(_arrival(each) for each in rivals)


def _arrival(target: Target) -> int:
    return target.source.stat().st_ctime_ns


def _lengthened(target: Target) -> Target:
    return replace(target, stem=target.stem.with_name(target.source.name))


def _with_ending(path: Path, ending: str) -> Path:
    return path.with_name(f"{path.name}.{ending}")


def _entries(folder: Path, paths: RealPaths, *, output: Path) -> Iterator[tuple[Path, WhyLeftOut | None]]:
    """What is in a folder by name, then what is in its folders, and why it cannot be a file to work on.

    Links to files are followed. Links to folders are not, because they may lead back into the same tree. Raises OSError
    for a folder that cannot be read.
    """
    pending = [folder]
    while pending:
        here = pending.pop()
        with os.scandir(here) as entries:
            seen = sorted((each for each in entries if not _is_hidden(each.name)), key=lambda each: each.name)
        yield from ((here / each.name, _why_no_file(each)) for each in seen if not each.is_dir(follow_symlinks=False))
        below = (here / each.name for each in reversed(seen) if each.is_dir(follow_symlinks=False))
        pending += (each for each in below if paths.folder(each) != output)


def _why_no_file(entry: os.DirEntry[str]) -> WhyLeftOut | None:
    if entry.is_file():
        return None
    if not entry.is_symlink():
        return "neither file nor folder"
    return "link to a folder" if entry.is_dir() else "link to nothing"


def _is_hidden(name: str) -> bool:
    return name.startswith(".")


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in PICTURE_SUFFIXES or _format_of(path) is not None


def _format_of(path: Path) -> str | None:
    """The format by the file's first bytes, or None; the decoder reports the error later."""
    from darkroom.imaging.codec.formats.sniff import sniff

    try:
        with path.open("rb") as file:
            return sniff(file.read(_HEAD_BYTES))
    except (BadImage, OSError):
        return None


def _possible_formats(source: Path, finish: FinishParameters, *, cut_out: bool) -> frozenset[str]:
    """The formats that "keep" may result in: without alpha, or with the alpha of the source or of a cut-out."""
    if finish.format != "keep":
        return frozenset({finish.format})
    kept = _format_of(source) or FORMAT_OF_SUFFIX.get(source.suffix.lower(), "png")
    opaque = output_format(finish, kept, has_alpha=False)
    transparent = output_format(finish, kept, has_alpha=True)
    if cut_out:
        return frozenset({transparent})
    return frozenset({opaque, transparent} if kept in SUBSTITUTES else {opaque})
