"""Plans and applies crop, resize and padding.

The layout is computed first, as a value, and then applied:

    resize the picture to `height` x `width`, then lay it on the canvas with its corner at (`top`, `left`):

    canvas  +----------------+        picture larger than the canvas: top or left is negative,
            |   +--------+   |        and the part outside the canvas is cut off
            |   |picture |   |
            |   +--------+   |
            +----------------+
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from darkroom.domain.parameters import FinishParameters
from darkroom.domain.sizes import require_writable, scaled
from darkroom.imaging.picture import Picture, Pixels, to_pixels
from darkroom.imaging.transparency import resized_picture

#: Share of the range above which alpha belongs to the subject; lower values are haze.
VISIBLE = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A picture on its canvas."""

    #: Height in pixels to which the picture is resized.
    height: int
    #: Width in pixels to which the picture is resized.
    width: int
    #: Height of the result in pixels.
    canvas_height: int
    #: Width of the result in pixels.
    canvas_width: int
    #: Row of the picture's first pixel on the canvas; a negative one crops.
    top: int = 0
    #: Column of the picture's first pixel on the canvas; a negative one crops.
    left: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """Rows `top` to `bottom` and columns `left` to `right`, ends not included; may reach beyond the picture."""

    top: int
    bottom: int
    left: int
    right: int


def plan_layout(parameters: FinishParameters, height: int, width: int) -> Layout:
    """Plan the layout for the parameters of `finish`.

    An exact width and height are reached in the way of `fit`. If only one of them is given, the other follows from
    `aspect` or from the picture. Without both, `aspect` is reached by padding; then `min_side` enlarges, and finally
    `max_side` reduces.

    Raises `BadPipeline` (code `output_too_large`) if the result would be too large.

    >>> layout = plan_layout(FinishParameters(width=100, height=100), 40, 80)
    >>> layout.height, layout.width, layout.top, layout.left
    (50, 100, 25, 0)
    """
    exact = _exact_size(parameters, height, width)
    layout = _fitted(parameters, height, width, exact) if exact else _free(parameters, height, width)
    require_writable(layout.height, layout.width)
    require_writable(layout.canvas_height, layout.canvas_width)
    return layout


def _aspect(parameters: FinishParameters) -> float | None:
    """Width by height."""
    if parameters.aspect is None:
        return None
    columns, rows = parameters.aspect.split(":")
    return int(columns) / int(rows)


def _exact_size(parameters: FinishParameters, height: int, width: int) -> tuple[int, int] | None:
    aspect = _aspect(parameters) or width / height
    if parameters.width and parameters.height:
        return parameters.height, parameters.width
    if parameters.width:
        return max(1, round(parameters.width / aspect)), parameters.width
    if parameters.height:
        return parameters.height, max(1, round(parameters.height * aspect))
    return None


def _fitted(parameters: FinishParameters, height: int, width: int, canvas: tuple[int, int]) -> Layout:
    if parameters.fit == "stretch":
        return Layout(height=canvas[0], width=canvas[1], canvas_height=canvas[0], canvas_width=canvas[1])
    ratios = canvas[0] / height, canvas[1] / width
    factor = min(ratios) if parameters.fit == "pad" else max(ratios)
    return _centred(scaled(height, width, factor), canvas)


def _free(parameters: FinishParameters, height: int, width: int) -> Layout:
    canvas = _padded(height, width, _aspect(parameters))
    factor = 1.0
    if parameters.min_side is not None:
        factor = max(factor, parameters.min_side / min(canvas))
    if parameters.max_side is not None:
        factor = min(factor, parameters.max_side / max(canvas))
    if factor == 1.0:
        return _centred((height, width), canvas)
    return _centred(scaled(height, width, factor), scaled(*canvas, factor))


def _padded(height: int, width: int, aspect: float | None) -> tuple[int, int]:
    """The smallest size of that aspect around the picture."""
    if aspect is None:
        return height, width
    return max(height, round(width / aspect)), max(width, round(height * aspect))


def _centred(size: tuple[int, int], canvas: tuple[int, int]) -> Layout:
    return Layout(
        height=size[0],
        width=size[1],
        canvas_height=canvas[0],
        canvas_width=canvas[1],
        top=(canvas[0] - size[0]) // 2,
        left=(canvas[1] - size[1]) // 2,
    )


def lay_out(picture: Picture, layout: Layout, color: NDArray[np.float32]) -> Picture:
    """Apply a layout.

    Parameters
    ----------
    picture : Picture
    layout : Layout
    color : (3,) float32 in [0, 1]
        Colour of the canvas. Around a picture with alpha the canvas is transparent as well.

    Returns
    -------
    Picture
        Size of the canvas; the input itself if the layout changes nothing.
    """
    size = layout.height, layout.width
    if size == (picture.height, picture.width) == (layout.canvas_height, layout.canvas_width):
        return picture
    fill = to_pixels(color, picture.pixels.dtype)
    sized = resized_picture(picture, *size)
    pixels = _placed(sized.pixels, layout, fill)
    if sized.alpha is None:
        return Picture(pixels=pixels)
    clear = np.zeros(1, sized.alpha.dtype)
    return Picture(pixels=pixels, alpha=_placed(sized.alpha, layout, clear))


def _placed(channels: Pixels, layout: Layout, fill: Pixels) -> Pixels:
    """`channels`, of the layout's size, on a canvas filled with `fill`."""
    canvas_size = layout.canvas_height, layout.canvas_width
    if channels.shape[:2] == canvas_size and layout.top == layout.left == 0:
        return channels
    canvas = np.empty((*canvas_size, *channels.shape[2:]), channels.dtype)
    canvas[...] = fill
    top, left = max(layout.top, 0), max(layout.left, 0)
    row, column = max(-layout.top, 0), max(-layout.left, 0)
    height, width = min(layout.height - row, canvas_size[0] - top), min(layout.width - column, canvas_size[1] - left)
    canvas[top : top + height, left : left + width] = channels[row : row + height, column : column + width]
    return canvas


def subject_box(alpha: Pixels, margin: float) -> Box | None:
    """The subject's bounding box with a margin around it, or None if nothing is visible.

    Parameters
    ----------
    alpha : (H, W) uint8 or uint16
    margin : float
        Space on each side as a share of the box's longer side; larger shows more. There is none on a side where the
        subject touches the picture's border: a gap there would show the cut.
    """
    visible = (alpha > VISIBLE * float(np.iinfo(alpha.dtype).max)).astype(np.uint8)
    left, top, width, height = cv2.boundingRect(visible)
    if width == 0 or height == 0:
        return None
    space = round(margin * max(width, height))
    bottom, right = top + height, left + width
    return Box(
        top=top - space if top > 0 else 0,
        bottom=bottom + space if bottom < alpha.shape[0] else bottom,
        left=left - space if left > 0 else 0,
        right=right + space if right < alpha.shape[1] else right,
    )


def crop(picture: Picture, box: Box, color: NDArray[np.float32]) -> Picture:
    """Crop a picture to a box. Parts of the box beyond the picture get `color` and are transparent."""
    layout = Layout(
        height=picture.height,
        width=picture.width,
        canvas_height=box.bottom - box.top,
        canvas_width=box.right - box.left,
        top=-box.top,
        left=-box.left,
    )
    require_writable(layout.canvas_height, layout.canvas_width)
    fill = to_pixels(color, picture.pixels.dtype)
    alpha = picture.alpha
    if alpha is not None:
        alpha = _placed(alpha, layout, np.zeros(1, alpha.dtype))
    return Picture(pixels=_placed(picture.pixels, layout, fill), alpha=alpha)
