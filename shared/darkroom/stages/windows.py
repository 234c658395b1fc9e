"""Applies a float operation to a picture of any size in bounded memory."""

from collections.abc import Callable

from darkroom.imaging.picture import Image, Pixels, to_float, to_pixels
from darkroom.imaging.tiling import apply_tiled, plan_tiles

#: Side of a window in pixels. As floats it takes 16 MB; an operation takes a few times that.
SIDE = 1152


def apply_to_windows(pixels: Pixels, operation: Callable[[Image], Image], *, halo: int) -> Pixels:
    """Apply an operation on float images to integer pixels, window by window.

    Parameters
    ----------
    pixels : (H, W, 3) uint8 or uint16
    operation : from (h, w, 3) float32 in [0, 1] to the same; the answer is clipped and rounded
    halo : pixels around each pixel that its answer depends on
    """

    def on_window(window: Pixels) -> Pixels:
        return to_pixels(operation(to_float(window)), window.dtype)

    tiles = plan_tiles((pixels.shape[0], pixels.shape[1]), tile=max(SIDE, 4 * halo), halo=halo)
    return apply_tiled(pixels, on_window, tiles)
