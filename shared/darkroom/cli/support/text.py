"""Makes text from other sources safe to print."""


def printable(text: object) -> str:
    """The text on one line, with everything that could command a terminal or break a line written as an escape."""
    return "".join(each if each.isprintable() else _escaped(each) for each in str(text))


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "backslashreplace").decode("ascii")


def of_file(error: OSError) -> str:
    """`photos/a.jpg: Permission denied` instead of `[Errno 13] Permission denied: 'photos/a.jpg'`."""
    if error.filename is None or error.strerror is None:
        return str(error)
    return f"{error.filename}: {error.strerror}"


def duration(seconds: float) -> str:
    """`0.85 s`, `12.3 s` or `3 min 20 s`."""
    if seconds < 60:
        return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60)} s"


def counted(number: int, one: str, many: str = "") -> str:
    """`1 file`, `3 files`."""
    return f"{number} {one if number == 1 else many or one + 's'}"
