"""Defines the errors of this project's own parsers; their texts may be shown to the user."""


class Damaged(ValueError):
    """A file breaks its format; the text says where and how."""


class EndsEarly(Damaged):
    """A file, or a block inside it, ends before its data are complete."""
