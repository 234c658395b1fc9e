"""Chooses the file format and the file extension of a result.

Pure: the dispatcher names the object of a result before its pixels exist, and `finish` follows the same rule.
"""

from typing import Literal

from darkroom.domain.parameters import FinishParameters

#: File name extension of each format that can be written, without the dot.
EXTENSIONS: dict[str, str] = {"jpeg": "jpg", "png": "png", "webp": "webp", "tiff": "tif", "avif": "avif"}

#: Content type of each format that can be written.
CONTENT_TYPES: dict[str, str] = {name: f"image/{name}" for name in EXTENSIONS}

#: Format that can be written, by the suffix of a file name in lower case.
FORMAT_OF_SUFFIX: dict[str, str] = {f".{extension}": name for name, extension in EXTENSIONS.items()} | {
    ".jpeg": "jpeg",
    ".tiff": "tiff",
}

#: What "keep" writes for an input whose own format is read but not written.
SUBSTITUTES: dict[str, str] = {"heic": "jpeg", "heif": "jpeg", "bmp": "png", "gif": "png"}

#: Suffixes, in lower case, of the names of pictures that can be read.
PICTURE_SUFFIXES = frozenset({f".{name}" for name in (*EXTENSIONS, *EXTENSIONS.values(), *SUBSTITUTES, "jpe", "jfif")})

#: Formats that can be written but carry no alpha channel.
OPAQUE_FORMATS: frozenset[str] = frozenset({"jpeg"})


def output_format(parameters: FinishParameters, source_format: str, *, has_alpha: bool) -> str:
    """The format that `finish` writes.

    `has_alpha` states that the result may have transparent parts: the source has them, or a subject is cut out.
    A requested format is always written; content that it cannot store is composited, with a note. "keep" never loses
    transparency: where the source's format has no alpha channel, PNG is written instead.
    """
    if parameters.format != "keep":
        return parameters.format
    kept = source_format if source_format in EXTENSIONS else SUBSTITUTES.get(source_format, "png")
    if kept in OPAQUE_FORMATS and has_alpha and stays_transparent(parameters):
        return "png"
    return kept


def stays_transparent(parameters: FinishParameters) -> bool:
    """Whether the alpha channel remains after compositing: neither a colour nor a picture replaces it."""
    return parameters.background in ("keep", "transparent") and parameters.background_object is None


#: The longest side that WebP's 14-bit size fields can hold, in pixels.
MAX_WEBP_SIDE = 16_383


WorkingExtension = Literal["webp", "png"]


def working_extension(bits: int, height: int, width: int) -> WorkingExtension:
    """The lossless format between two stages: `webp` for 8 bits within WebP's size, else `png`.

    Lossless WebP at its least effort takes a third of the time of PNG for fewer bytes, and a browser shows it.
    """
    return "webp" if bits == 8 and max(height, width) <= MAX_WEBP_SIDE else "png"
