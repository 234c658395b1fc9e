"""The Python interface: one call for one picture, one for many."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from itertools import islice
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from darkroom.domain.errors import BadImage, BadPipeline
from darkroom.domain.formats import FORMAT_OF_SUFFIX
from darkroom.domain.job import Job
from darkroom.domain.pipeline import Pipeline, parse_pipeline

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

    from darkroom.execution.runner import LocalRunner
    from darkroom.imaging.codec import Decoded

    #: What can be enhanced: a path, the bytes of a file, an array, or a Pillow image.
    Source: TypeAlias = str | PathLike[str] | bytes | NDArray[Any] | PillowImage


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """An enhanced picture, with the record of what was done to it."""

    #: The encoded file, with metadata and colour profile.
    data: bytes
    #: `image/jpeg`, `image/png`, `image/webp`, `image/tiff` or `image/avif`.
    content_type: str
    #: The job, as the service would have stored it.
    job: Job

    @property
    def verdict(self) -> str:
        """`auto_approved`, or `needs_review` if a person should look at the result."""
        return str(self.job.qc_status)

    @property
    def score(self) -> float | None:
        """Quality from 0 to 100; larger is better. None if the result was not scored."""
        return self.job.after.score if self.job.after else None

    @property
    def notes(self) -> tuple[str, ...]:
        """The notes of the stages, in the order in which they ran."""
        return tuple(note for record in self.job.records for note in record.notes)

    @property
    def manifest(self) -> dict[str, Any]:
        """Everything that was planned and done, ready for JSON; docs/delivery.md describes the fields."""
        from darkroom.domain.manifest import build_manifest

        return build_manifest(self.job)

    @property
    def pixels(self) -> NDArray[Any]:
        """The picture as (H, W, 3), or (H, W, 4) where it is transparent somewhere: uint8 or uint16, RGB(A), sRGB."""
        picture = self._decoded().picture
        if picture.alpha is None:
            return picture.pixels
        return np.dstack([picture.pixels, picture.alpha])

    def to_pillow(self) -> "PillowImage":
        """The picture as an image of Pillow."""
        from PIL import Image

        return Image.open(BytesIO(self.data))

    def save(self, path: str | PathLike[str]) -> Path:
        """Write the picture; the suffix decides the format.

        If the suffix names another format than the result has, the picture is encoded again at the default quality.
        Raises BadPipeline if no format has this suffix, and OSError if the file cannot be written.
        """
        target = Path(path)
        target.write_bytes(self.encoded(_format_of(target)))
        return target

    def encoded(self, name: str) -> bytes:
        """The bytes of the picture in the format `name`: `jpeg`, `png`, `webp`, `tiff` or `avif`."""
        if self.content_type == f"image/{name}":
            return self.data
        from darkroom.imaging.codec import EncodeOptions, encode

        decoded = self._decoded()
        return encode(decoded.picture, EncodeOptions(format=name), decoded.metadata).data  # type: ignore[arg-type]

    def _decoded(self) -> "Decoded":
        from darkroom.imaging.codec import Limits, decode

        return decode(self.data, Limits(max_bytes=max(len(self.data), 1), max_pixels=2**40))


def enhance(
    source: "Source",
    *,
    preset: str | None = None,
    pipeline: Mapping[str, Any] | str | None = None,
    mask: "Source | None" = None,
    name: str = "",
) -> Result:
    """Enhance one picture in this process.

    Parameters
    ----------
    source : path, bytes, ndarray or PIL.Image.Image
        A path or the bytes of a file: JPEG, PNG, WebP, TIFF, AVIF, HEIC, GIF or BMP. An array: (H, W), (H, W, 3) or
        (H, W, 4), grey, RGB or RGBA in sRGB; uint8, uint16, or floats in [0, 1].
    preset : str, optional
        `auto` (the default), `restore`, `product` and so on; `darkroom presets` lists them.
    pipeline : mapping or str, optional
        A pipeline as in docs/stages.md, in place of a preset; a string is its JSON.
    mask : path, bytes, ndarray or PIL.Image.Image, optional
        The mask, a picture of the same size. For `repair` white is filled, and nothing is searched. If the
        pipeline runs `background` and not `repair`, white belongs to the subject, black does not, and the rest is
        decided by the stage. A preset without both runs `repair`.
    name : str, optional
        What the manifest calls the picture; by default the name of the file.

    Returns
    -------
    Result
        The encoded picture, its verdict and its manifest.

    Raises
    ------
    BadImage
        The picture cannot be decoded, or exceeds a limit; the message names the value and the limit.
    BadPipeline
        There is no such preset, a parameter is not valid, or the mask cannot be used (code `bad_mask`).
    ModelUnusable
        A network is missing or altered, and the pipeline allows no fallback.

    Examples
    --------
    >>> import numpy as np
    >>> grey = np.full((48, 64), 0.5)
    >>> enhance(grey, preset="optimize").pixels.shape
    (48, 64, 3)
    """
    return _enhance(source, _pipeline(preset, pipeline), name, mask)


def _enhance(source: "Source", pipeline: Pipeline, name: str = "", mask: "Source | None" = None) -> Result:
    from darkroom.execution.runner import given_mask, run_pipeline

    data, known = _bytes_of(source)
    runner = _runner()
    if mask is not None:
        drawn, mask_name = _bytes_of(mask)
        runner, pipeline = given_mask(runner, pipeline, mask_name, drawn)
    made = run_pipeline(runner, name or known, data, pipeline)
    return Result(data=made.data, content_type=made.content_type, job=made.job)


def enhance_many(
    sources: "Iterable[Source]",
    *,
    preset: str | None = None,
    pipeline: Mapping[str, Any] | str | None = None,
    workers: int = 1,
) -> "Iterator[Result | Exception]":
    """Enhance pictures one after the other, or several at a time, and give the results in the order of `sources`.

    What cannot be enhanced gives its exception in place of a result, so that one bad file does not end the others.
    At most `workers` + 1 pictures are in memory at a time.

    Parameters
    ----------
    sources : iterable
        Pictures as `enhance` takes them; read as they are needed.
    preset, pipeline : optional
        As for `enhance`; they are checked before the first picture.
    workers : int
        Pictures at a time, at least 1. Each stage uses all processors already, so that more than 2 seldom help.

    Raises
    ------
    ValueError
        `workers` is less than 1.
    BadPipeline
        There is no such preset, or a parameter is not valid.
    """
    if workers < 1:
        raise ValueError(f"workers is {workers}, the least is 1")
    return _in_order(iter(sources), _pipeline(preset, pipeline), workers)


def _in_order(sources: "Iterator[Source]", pipeline: Pipeline, workers: int) -> "Iterator[Result | Exception]":
    def attempt(source: "Source") -> "Result | Exception":
        try:
            return _enhance(source, pipeline)
        except Exception as exc:  # noqa: BLE001  the caller gets it in place of the result
            return exc

    with ThreadPoolExecutor(workers) as pool:
        waiting = [pool.submit(attempt, source) for source in islice(sources, workers)]
        while waiting:
            result = waiting.pop(0).result()
            waiting += [pool.submit(attempt, source) for source in islice(sources, 1)]
            yield result


def _pipeline(preset: str | None, pipeline: Mapping[str, Any] | str | None) -> Pipeline:
    if preset is not None and pipeline is not None:
        raise BadPipeline("both a preset and a pipeline are given; a pipeline may name its preset itself")
    if pipeline is None:
        return parse_pipeline(preset or "auto")
    return parse_pipeline(pipeline if isinstance(pipeline, str) else json.dumps(dict(pipeline)))


@cache
def _runner() -> "LocalRunner":
    from darkroom.runtime.bootstrap import build_local_runner, processors
    from darkroom.runtime.settings import read_settings

    settings = read_settings(os.environ)
    return build_local_runner(settings, settings.threads or processors())


def _bytes_of(source: Any) -> tuple[bytes, str]:
    """The bytes of a file, and its name."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        return bytes(source), "picture"
    if isinstance(source, (str, PathLike)):
        path = Path(source)
        return path.read_bytes(), path.name
    if isinstance(source, np.ndarray):
        return _bytes_of_array(source), "array.png"
    from PIL import Image

    if isinstance(source, Image.Image):
        return _bytes_of_pillow(source), "image.png"
    raise BadImage(f"a picture cannot be a {type(source).__name__}: give a path, bytes, an array or a Pillow image")


def _bytes_of_array(array: NDArray[Any]) -> bytes:
    from darkroom.imaging.codec import EncodeOptions, Metadata, encode
    from darkroom.imaging.picture import Picture

    values = array[..., None] if array.ndim == 2 else array
    if values.ndim != 3 or values.shape[2] not in (1, 3, 4) or 0 in values.shape:
        raise BadImage(f"an array of shape {array.shape}; expected (H, W), (H, W, 3) or (H, W, 4)")
    levels = _levels(values)
    colours = np.repeat(levels, 3, axis=2) if levels.shape[2] == 1 else levels[..., :3]
    alpha = np.ascontiguousarray(levels[..., 3]) if levels.shape[2] == 4 else None
    picture = Picture(pixels=np.ascontiguousarray(colours), alpha=alpha)
    return encode(picture, EncodeOptions(format="png"), Metadata()).data


def _levels(values: NDArray[Any]) -> NDArray[Any]:
    """As uint8 or uint16; floats become 16 bits, so that nothing is lost that the pipeline could keep."""
    if values.dtype in (np.uint8, np.uint16):
        return values
    if values.dtype == np.bool_:
        return values.astype(np.uint8) * np.uint8(255)
    if not np.issubdtype(values.dtype, np.floating):
        raise BadImage(f"an array of {values.dtype}; expected uint8, uint16, bool, or floats in [0, 1]")
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    if not (np.isfinite(values).all() and low >= 0.0 and high <= 1.0):
        raise BadImage(f"an array of floats from {low:g} to {high:g}; expected finite values in [0, 1]")
    return np.rint(values * 65535.0).astype(np.uint16)


def _bytes_of_pillow(image: "PillowImage") -> bytes:
    """As PNG, or as TIFF where PNG cannot hold the mode; profile and EXIF are kept."""
    buffer = BytesIO()
    name = "TIFF" if image.mode in ("CMYK", "LAB", "YCbCr", "F", "I") else "PNG"
    about = {key: image.info[key] for key in ("icc_profile", "exif") if image.info.get(key)}
    image.save(buffer, name, **about)
    return buffer.getvalue()


def _format_of(path: Path) -> str:
    name = FORMAT_OF_SUFFIX.get(path.suffix.lower())
    if name is None:
        raise BadPipeline(
            f"{path.suffix or 'no suffix'!r} names no format; expected one of {', '.join(FORMAT_OF_SUFFIX)}"
        )
    return name
