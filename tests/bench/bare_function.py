"""The same kind of work as the API's at once, in bare OpenCV behind bare Flask: decode, work, encode.

It measures nothing, decides nothing, checks nothing, keeps no metadata, and knows no networks. Imported by the process
that serves it, as that of a function with nothing of ours around it.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import cv2
import flask
import functions_framework
import numpy as np

Array = Any
MIN_SIDE = 1500
NOISE = 10.0


@functions_framework.http
def bare(request: flask.Request) -> flask.Response:
    """What the path names, done to the picture in the body."""
    bgr = cv2.imdecode(np.frombuffer(request.get_data(), np.uint8), cv2.IMREAD_COLOR)
    worked = WORKS[request.path.strip("/")](bgr)
    _, encoded = cv2.imencode(".jpg", worked, [cv2.IMWRITE_JPEG_QUALITY, 90])
    return flask.Response(encoded.tobytes(), content_type="image/jpeg")


def adjust(bgr: Array) -> Array:
    """Tone curve, warmth, saturation, smoothing, sharpening."""
    values = np.arange(256) / 255.0
    curve = 0.5 + np.tanh(0.4 * (2.0 * values**0.9 - 1.0)) / (2.0 * np.tanh(0.4))
    table = np.clip(curve[:, np.newaxis] * (0.97, 1.0, 1.03) * 255.0, 0, 255).astype(np.uint8)
    hsv = cv2.cvtColor(cv2.LUT(bgr, table[np.newaxis]), cv2.COLOR_BGR2HSV)
    hsv[..., 1] = cv2.convertScaleAbs(hsv[..., 1], alpha=1.2)
    return sharpened(cv2.GaussianBlur(cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR), (0, 0), 1.0))


def brightened(bgr: Array) -> Array:
    """A tone curve alone."""
    table = (255.0 * (np.arange(256) / 255.0) ** 0.87).astype(np.uint8)
    return cv2.LUT(bgr, table)


def sharpened(bgr: Array) -> Array:
    """Unsharp mask."""
    return cv2.addWeighted(bgr, 1.5, cv2.GaussianBlur(bgr, (0, 0), 1.0), -0.5, 0.0)


def balanced(bgr: Array) -> Array:
    """Grey-world."""
    means = bgr.reshape(-1, 3).mean(axis=0)
    return np.clip(bgr * (means.mean() / means).astype(np.float32), 0, 255).astype(np.uint8)


def repaired(bgr: Array) -> Array:
    """Non-local means, unsharp mask, grey-world."""
    return balanced(sharpened(cv2.fastNlMeansDenoisingColored(bgr, None, NOISE, NOISE, 7, 21)))


def restored(bgr: Array) -> Array:
    """Scratches by black hat and inpainting, then repaired and enlarged twice."""
    element = cv2.getStructuringElement(cv2.MORPH_RECT, (9, 9))
    stands_out = cv2.morphologyEx(cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY), cv2.MORPH_TOPHAT, element)
    filled = cv2.inpaint(bgr, (stands_out > 80).astype(np.uint8), 3, cv2.INPAINT_TELEA)
    return cv2.resize(repaired(filled), None, fx=2.0, fy=2.0, interpolation=cv2.INTER_LANCZOS4)


def on_white(bgr: Array) -> Array:
    """Repaired, cut out by one iteration of GrabCut, on white, enlarged to `MIN_SIDE` pixels."""
    clean = repaired(bgr)
    height, width = clean.shape[:2]
    inside = (width // 10, height // 10, width * 8 // 10, height * 8 // 10)
    mask = np.zeros((height, width), np.uint8)
    cv2.grabCut(clean, mask, inside, np.zeros((1, 65)), np.zeros((1, 65)), 1, cv2.GC_INIT_WITH_RECT)
    clean[(mask & 1) == 0] = 255
    scale = max(1.0, MIN_SIDE / min(height, width))
    size = math.ceil(width * scale), math.ceil(height * scale)
    return sharpened(cv2.resize(clean, size, interpolation=cv2.INTER_LANCZOS4))


WORKS: Mapping[str, Callable[[Array], Array]] = {
    "adjust": adjust,
    "brighten": brightened,
    "white_balance": balanced,
    "auto": repaired,
    "restore": restored,
    "product": on_white,
    "color_cast": balanced,
}
