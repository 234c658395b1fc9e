"""Crops, composites, adjusts, resizes and encodes the restored picture.

crop to the subject → composite → adjust → size → smooth → sharpen → encode
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

import cv2
import numpy as np

from darkroom.domain.errors import BadPipeline
from darkroom.domain.formats import output_format, stays_transparent
from darkroom.domain.parameters import FinishParameters
from darkroom.imaging.codec import Decoded, EncodeOptions, Header, OutputFormat, encode
from darkroom.imaging.color import apply_table, luma_of_image, parse_hex
from darkroom.imaging.filters import gaussian, reach
from darkroom.imaging.geometry import Layout, crop, lay_out, plan_layout, subject_box
from darkroom.imaging.picture import Picture, Pixels, Plane, to_float, to_pixels
from darkroom.imaging.tiling import apply_tiled, plan_tiles
from darkroom.imaging.tone.adjust import adjustment_table, saturate
from darkroom.imaging.tone.fading import unfaded
from darkroom.imaging.transparency import smoothed_picture, spread_colors
from darkroom.stages import NOTHING, Value
from darkroom.stages.windows import SIDE

#: Local contrast (luma, range [0, 1]) that is sharpened at half strength. Weaker contrast, such as grain, gets less.
GRAIN = np.float32(2.0 / 255.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The encoded result."""

    #: The file.
    data: bytes
    #: Its MIME type.
    content_type: str
    #: Height in pixels.
    height: int
    #: Width in pixels.
    width: int
    #: Messages for the user: requests that were not fulfilled, or fulfilled in another way.
    notes: tuple[str, ...] = ()
    #: Values of the result by name: format, quality, size_bytes.
    values: Mapping[str, Value] = field(default_factory=lambda: NOTHING)


def finish(
    picture: Picture, parameters: FinishParameters, source: Decoded | Header, background_picture: Picture | None = None
) -> Finished:
    """Composite, adjust, size, sharpen and write a picture.

    With everything off the pixels are written as they are.

    Parameters
    ----------
    picture : Picture
        Output of the restoration stages.
    parameters : FinishParameters
    source : Decoded or Header
        The upload: format for "keep", metadata, colour profile.
    background_picture : Picture or None
        Placed behind the subject, resized and cropped to cover it; required if `background_object` is set.

    Raises
    ------
    BadPipeline
        The result would be too large, or the background picture is missing.
    """
    if parameters.background_object is not None and background_picture is None:
        message = f"the background {parameters.background_object!r} was not given"
        raise BadPipeline(message, code="background_missing")
    result, notes = render(picture, parameters, background_picture)
    chosen = output_format(parameters, source.format, has_alpha=result.alpha is not None)
    encoded = encode(result, _options(parameters, chosen), source.metadata)
    values: dict[str, Value] = {"format": chosen, "size_bytes": float(len(encoded.data))}
    if encoded.quality is not None:
        values["quality"] = float(encoded.quality)
    return Finished(
        data=encoded.data,
        content_type=encoded.content_type,
        height=result.height,
        width=result.width,
        notes=(*notes, *_format_notes(parameters, source, chosen), *encoded.notes),
        values=values,
    )


def render(
    picture: Picture, parameters: FinishParameters, background_picture: Picture | None = None
) -> tuple[Picture, tuple[str, ...]]:
    """Apply all pixel operations of `finish`; return the picture and the notes."""
    cropped, notes = _cropped(picture, parameters)
    laid = _composited(cropped, parameters, background_picture)
    adjusted = _adjusted(laid, parameters)
    layout = plan_layout(parameters, adjusted.height, adjusted.width)
    sized = lay_out(adjusted, layout, parse_hex(parameters.padding_color))
    return _cleared(_sharpened(_smoothed(sized, parameters), parameters), parameters), notes


def _options(parameters: FinishParameters, chosen: str) -> EncodeOptions:
    return EncodeOptions(
        format=cast(OutputFormat, chosen),
        quality=parameters.quality,
        lossless=parameters.lossless,
        target_size_kb=parameters.target_size_kb,
        metadata_policy=parameters.metadata,
        profile=parameters.profile,
    )


def _format_notes(parameters: FinishParameters, source: Decoded | Header, chosen: str) -> tuple[str, ...]:
    if parameters.format != "keep" or chosen == source.format:
        return ()
    return (f"the result is {chosen}: {source.format} cannot store this content",)


def _cropped(picture: Picture, parameters: FinishParameters) -> tuple[Picture, tuple[str, ...]]:
    if not parameters.crop_to_subject:
        return picture, ()
    box = None if picture.alpha is None else subject_box(picture.alpha, parameters.margin)
    if box is None:
        return picture, ("nothing is cut out, so there is no subject to crop to",)
    return crop(picture, box, parse_hex(parameters.padding_color)), ()


def _composited(picture: Picture, parameters: FinishParameters, behind: Picture | None) -> Picture:
    if picture.alpha is None or stays_transparent(parameters):
        return picture
    if behind is not None:
        return Picture(pixels=composite(picture, _cover(behind, picture)))
    color = to_pixels(parse_hex(parameters.background), picture.pixels.dtype)
    return Picture(pixels=composite(picture, np.full_like(picture.pixels, color)))


def _cover(behind: Picture, picture: Picture) -> Pixels:
    """Resize and crop the background to the size of the picture, in its bit depth."""
    factor = max(picture.height / behind.height, picture.width / behind.width)
    height = max(picture.height, round(behind.height * factor))
    width = max(picture.width, round(behind.width * factor))
    layout = Layout(
        height=height,
        width=width,
        canvas_height=picture.height,
        canvas_width=picture.width,
        top=(picture.height - height) // 2,
        left=(picture.width - width) // 2,
    )
    covering = lay_out(Picture(pixels=behind.pixels), layout, parse_hex("#FFFFFF")).pixels
    return covering if covering.dtype == picture.pixels.dtype else to_pixels(to_float(covering), picture.pixels.dtype)


def composite(picture: Picture, behind: Pixels) -> Pixels:
    """Composite a picture with alpha over pixels of the same size, in sRGB values as browsers and editors do."""
    alpha = picture.alpha
    if alpha is None:
        return picture.pixels
    result = np.empty_like(picture.pixels)
    for top in range(0, picture.height, SIDE):
        rows = slice(top, top + SIDE)
        share = to_float(alpha[rows])[..., np.newaxis]
        below = to_float(behind[rows])
        result[rows] = to_pixels(below + (to_float(picture.pixels[rows]) - below) * share, result.dtype)
    return result


def _adjusted(picture: Picture, parameters: FinishParameters) -> Picture:
    pixels = picture.pixels
    if parameters.unfade and (restored := unfaded(pixels, parameters.unfade)) is not None:
        pixels = restored
    if parameters.brightness or parameters.contrast or parameters.temperature:
        levels = int(np.iinfo(pixels.dtype).max) + 1
        table = adjustment_table(levels, parameters.brightness, parameters.contrast, parameters.temperature)
        pixels = apply_table(pixels, table)
    if parameters.saturation:
        pixels = saturate(pixels, parameters.saturation)
    return picture if pixels is picture.pixels else picture.with_pixels(pixels)


def _smoothed(picture: Picture, parameters: FinishParameters) -> Picture:
    if parameters.smooth == 0.0:
        return picture
    return smoothed_picture(picture, parameters.smooth)


def _sharpened(picture: Picture, parameters: FinishParameters) -> Picture:
    if parameters.sharpen == 0.0:
        return picture
    radius = parameters.sharpen_radius
    halo = reach(radius)
    tiles = plan_tiles((picture.height, picture.width), tile=max(SIDE, 4 * halo), halo=halo)

    def on_window(window: Pixels) -> Pixels:
        # On luma alone: edges get clearer and colours get no fringe.
        raised = _raised(luma_of_image(to_float(window)), radius) * np.float32(parameters.sharpen)
        scaled = raised * np.float32(np.iinfo(window.dtype).max)
        depth = cv2.CV_8U if window.dtype == np.uint8 else cv2.CV_16U
        return cv2.add(window, cv2.merge([_without_clipping(scaled, window)] * 3), dtype=depth)  # type: ignore[return-value]

    sharpened = apply_tiled(spread_colors(picture), on_window, tiles)
    if picture.alpha is None:
        return picture.with_pixels(sharpened)
    return picture.with_pixels(np.where(picture.alpha[..., np.newaxis] > 0, sharpened, picture.pixels))


def _without_clipping(change: Plane, window: Pixels) -> Plane:
    """Limit a change of all channels so that none leaves the range: the differences between them, the colour, stay."""
    red, green, blue = cv2.split(window)
    lowest, highest = cv2.min(cv2.min(red, green), blue), cv2.max(cv2.max(red, green), blue)
    return np.clip(change, -lowest.astype(np.float32), np.iinfo(window.dtype).max - highest.astype(np.float32))


def _raised(plane: Plane, radius: float) -> Plane:
    """Return the detail of a plane (plane minus its Gaussian), with weak detail such as grain suppressed smoothly.

    The operations are in place where possible: allocating four bytes a pixel takes more time than computing them.
    """
    detail = gaussian(plane, radius)
    np.subtract(plane, detail, out=detail)
    squared = np.square(detail)
    share = np.add(squared, GRAIN * GRAIN, out=plane)
    np.divide(squared, share, out=share)
    raised: Plane = np.multiply(detail, share, out=detail)
    return raised


def _cleared(picture: Picture, parameters: FinishParameters) -> Picture:
    """Set fully transparent pixels to 0 if a transparent background was requested, so that no old colours remain."""
    if parameters.background != "transparent" or picture.alpha is None:
        return picture
    pixels: Pixels = np.where(picture.alpha[..., np.newaxis] > 0, picture.pixels, np.zeros(1, picture.pixels.dtype))
    return picture.with_pixels(pixels)
