"""Selects the quality of the result: the default, the requested one, or one that meets a size."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from darkroom.imaging.codec.formats.sniff import LABELS
from darkroom.imaging.codec.formats.writers import Prepared, avif_bytes, jpeg_bytes, png_file, tiff_bytes, webp_bytes
from darkroom.imaging.codec.metadata.output_metadata import MetadataPolicy, OutputFormat, ProfileChoice
from darkroom.imaging.codec.target_size import Attempt, best_below

#: Default quality of each format: no visible difference at normal size, sharp text. Source: docs/formats.md.
DEFAULT_QUALITY: Mapping[OutputFormat, int] = MappingProxyType({"jpeg": 90, "webp": 90, "avif": 85})

#: Quality from which JPEG has full chroma resolution. Below it, halved chroma gives a better picture of the same size.
#: Source: measured on text, pages and photographs.
FULL_CHROMA_FROM = 50

#: Note for lossless AVIF.
_NEARLY_LOSSLESS = "AVIF is written in YCbCr: at its highest quality colours may still be off by up to 2 steps of 255"

#: Bytes per kB.
_KB = 1000
#: Share of the target size from which it counts as met.
_MET = 0.9

#: Step of quality in the search: JPEG's tables change with fractions, the other formats accept integers only.
_STEPS: Mapping[OutputFormat, float] = MappingProxyType({"jpeg": 0.25, "webp": 1.0, "avif": 1.0})


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodeOptions:
    """Options for the encoded result."""

    format: OutputFormat
    #: 1 to 100 for JPEG, WebP and AVIF, the highest one allowed if there is a target size; None is the default.
    quality: int | None = None
    #: Lossless WebP or AVIF; PNG and TIFF always are.
    lossless: bool = False
    #: Largest file in kB of 1000 bytes, approached from below.
    target_size_kb: int | None = None
    metadata_policy: MetadataPolicy = "keep"
    profile: ProfileChoice = "srgb"
    #: Baseline instead of progressive JPEG: the same pixels in a fifth of the time, for synchronous requests.
    hasty: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """An encoded file, with its quality if the format has one."""

    data: bytes
    quality: int | None = None
    notes: tuple[str, ...] = ()


def write(prepared: Prepared, options: EncodeOptions) -> Written:
    """Encode at the requested quality, or at the best quality within the target size."""
    if options.format in ("png", "tiff") or (options.lossless and options.format != "jpeg"):
        return _without_quality(prepared, options)
    notes = ("JPEG is never lossless: its highest quality was used",) if options.lossless else ()
    highest = 100 if options.lossless else options.quality
    writer = _hasty_jpeg if options.hasty and options.format == "jpeg" else _LOSSY[options.format]
    if options.target_size_kb is not None:
        return _steered(prepared, options, highest or 100, notes)
    quality = highest or DEFAULT_QUALITY[options.format]
    return Written(data=writer(prepared, quality), quality=quality, notes=notes)


def _without_quality(prepared: Prepared, options: EncodeOptions) -> Written:
    data = _LOSSLESS[options.format](prepared)
    target = options.target_size_kb
    notes = (_NEARLY_LOSSLESS,) if options.format == "avif" else ()
    if target is None or len(data) <= target * _KB:
        return Written(data=data, notes=notes)
    label = LABELS[options.format] if options.format in ("png", "tiff") else f"lossless {LABELS[options.format]}"
    note = f"{label} has no quality to steer by: {_kb(len(data))}, the target was {target} kB"
    return Written(data=data, notes=(*notes, note))


def _steered(prepared: Prepared, options: EncodeOptions, highest: int, notes: tuple[str, ...]) -> Written:
    target = options.target_size_kb or 0
    found = _search(prepared, options.format, target * _KB, highest)
    if found is None:
        data = _LOSSY[options.format](prepared, 1)
        note = (
            f"the lowest quality still gives {_kb(len(data))}, the target was {target} kB: a smaller picture is needed"
        )
        return Written(data=data, quality=1, notes=(*notes, note))
    size = _kb(found.size)
    if found.quality >= highest:
        notes = (*notes, f"quality {highest} gives {size}, less than the target of {target} kB")
    elif found.size < _MET * target * _KB:
        notes = (*notes, f"the next step of quality exceeds the target of {target} kB: {size} is the most below it")
    return Written(data=found.data, quality=max(1, round(found.quality)), notes=notes)


def _search(prepared: Prepared, name: OutputFormat, limit: int, highest: int) -> Attempt | None:
    if name != "jpeg":
        writer, step = _LOSSY[name], _STEPS[name]
        return best_below(lambda quality: writer(prepared, quality), limit, low=1, high=highest, step=step)

    def full(quality: float) -> bytes:
        return jpeg_bytes(prepared, quality, full_chroma=True)

    def halved(quality: float) -> bytes:
        return jpeg_bytes(prepared, quality, full_chroma=False)

    step, low = _STEPS[name], min(FULL_CHROMA_FROM, highest)
    # Halved chroma may go above the quality at which full chroma begins: it fills the gap in size between the two.
    return best_below(full, limit, low=low, high=highest, step=step) or best_below(
        halved, limit, low=1, high=highest, step=step
    )


def _jpeg(prepared: Prepared, quality: float) -> bytes:
    return jpeg_bytes(prepared, quality, full_chroma=quality >= FULL_CHROMA_FROM)


def _hasty_jpeg(prepared: Prepared, quality: float) -> bytes:
    return jpeg_bytes(prepared, quality, full_chroma=quality >= FULL_CHROMA_FROM, compact=False)


def _webp(prepared: Prepared, quality: float) -> bytes:
    return webp_bytes(prepared, round(quality), lossless=False)


def _avif(prepared: Prepared, quality: float) -> bytes:
    return avif_bytes(prepared, round(quality))


def _lossless_webp(prepared: Prepared) -> bytes:
    return webp_bytes(prepared, 100, lossless=True)


def _lossless_avif(prepared: Prepared) -> bytes:
    return avif_bytes(prepared, 100)


def _tiff(prepared: Prepared) -> bytes:
    return tiff_bytes(prepared.channels, prepared.metadata)


def _kb(size: int) -> str:
    return f"{size / _KB:.1f} kB"


_LOSSY: Mapping[OutputFormat, Callable[[Prepared, float], bytes]] = MappingProxyType(
    {"jpeg": _jpeg, "webp": _webp, "avif": _avif}
)
_LOSSLESS: Mapping[OutputFormat, Callable[[Prepared], bytes]] = MappingProxyType(
    {"png": png_file, "tiff": _tiff, "webp": _lossless_webp, "avif": _lossless_avif}
)
