"""Lifts the shadows of a backlit scene and leaves its bright parts as they are."""

import cv2
import numpy as np

from darkroom.imaging.color import luma, strongest
from darkroom.imaging.filters import enlarged_window
from darkroom.imaging.picture import Pixels, Plane, to_float, to_pixels
from darkroom.imaging.sampling import reduced

#: Pixels of the reduced picture in which shadows are found.
SMALL_PIXELS = 65_536
#: Half side of the median's window, as a share of the longer side: smaller parts are no shadow of the scene.
WINDOW = 0.02
#: Luma, 0 to 1, of the surroundings below which a pixel lies in shadow.
SHADOW = 0.22
#: Luma, 0 to 1, of the surroundings above which a pixel lies in the light.
LIGHT = 0.6
#: Least shares of the picture in shadow and in the light, and largest share between the two, in a backlit scene.
LEAST_SHADOW, LEAST_LIGHT, MOST_BETWEEN = 0.3, 0.25, 0.3
#: Height of the strips at the upper and the lower border, as a share of the height.
STRIP = 0.05
#: Least share of the upper strip in the light, and of the lower strip in shadow. Source: without these conditions 32 of
#: 665 photographs are taken for backlit, most of them dark goods on a bright ground; with them 4.
LEAST_SKY, LEAST_GROUND = 0.5, 0.7
#: Mean luma, 0 to 1, to which the shadows are lifted.
TARGET = 0.35
#: Largest gain. Beyond it noise and the steps of eight bits become visible.
LARGEST_GAIN = 4.0
#: Rows of a picture that are computed at a time.
BAND_ROWS = 256


def lifted_shadows(pixels: Pixels) -> Pixels | None:
    """Lift the shadows of (H, W, 3) uint8 or uint16; None for a scene that is not backlit.

    A scene is backlit if nearly all of it is either dark or bright, with light along the upper border and shadow along
    the lower one. Dark things on a bright ground, which are to stay dark, have light along both. Each pixel gets a gain
    that depends on the luma of its surroundings: full in the shadows, none in the light. The curve of a gain ends at
    white, so that no channel is clipped. Channels keep their ratios.
    """
    small = to_float(reduced(pixels, SMALL_PIXELS))
    base = _surroundings(luma(to_pixels(small, np.dtype(np.uint8))))
    dark, bright = base < SHADOW, base > LIGHT
    shares = float(dark.mean()), float(bright.mean())
    strip = max(1, round(STRIP * base.shape[0]))
    under_sky = float(dark[-strip:].mean()) >= LEAST_GROUND and float(bright[:strip].mean()) >= LEAST_SKY
    if shares[0] < LEAST_SHADOW or shares[1] < LEAST_LIGHT or 1.0 - sum(shares) > MOST_BETWEEN or not under_sky:
        return None
    gain = min(LARGEST_GAIN, TARGET / max(float(base[dark].mean()), TARGET / LARGEST_GAIN))
    weight = np.clip((LIGHT - base) / (LIGHT - SHADOW), 0.0, 1.0)
    return _applied(pixels, (1.0 + (gain - 1.0) * weight).astype(np.float32))


def _surroundings(plane: Plane) -> Plane:
    side = 2 * max(1, round(WINDOW * max(plane.shape))) + 1
    return to_float(cv2.medianBlur(to_pixels(plane, np.dtype(np.uint8)), side))  # type: ignore[arg-type]


def _applied(pixels: Pixels, gains: Plane) -> Pixels:
    """Apply a small field of gains (h, w), enlarged, band by band."""
    result = np.empty_like(pixels)
    for top in range(0, pixels.shape[0], BAND_ROWS):
        image = to_float(pixels[top : top + BAND_ROWS])
        gain = enlarged_window(gains, image.shape, (top, 0), pixels.shape[:2])
        share = gain / (1.0 + (gain - 1.0) * strongest(image))
        result[top : top + BAND_ROWS] = to_pixels((image * share[..., np.newaxis]).astype(np.float32), pixels.dtype)
    return result
