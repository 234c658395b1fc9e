"""What else could do it? Bare calls of well-known libraries, with their usual parameters.

Some do less than the stage that they stand beside (`cv2.resize` adds no detail, Pillow's decoder measures nothing):
they say what the least of it would cost.
"""

import io
from collections.abc import Callable

import cv2
import numpy as np

#: What stands beside each stage, and does it as it is usually done.
BESIDE = {
    "assess": "Pillow, decode",
    "repair": "OpenCV, black hat and inpaint",
    "denoise": "OpenCV, fastNlMeansDenoisingColored",
    "deblur": "scikit-image, wiener",
    "low_light": "OpenCV, CLAHE on L",
    "white_balance": "numpy, grey-world",
    "colorize": "OpenCV, one tone for all of grey",
    "background": "OpenCV, grabCut at full size, 1 iteration",
    "upscale": "OpenCV, Lanczos",
    "finish": "Pillow, UnsharpMask and save",
}
#: The same kind of work as `restore`, in bare OpenCV.
CHAIN = "OpenCV, NLM + unsharp + Lanczos ×2 + imencode"

NOISE = 10.0
Act = Callable[[], object]


def prepare(name: str, data: bytes) -> Callable[[], None]:
    """What is to be timed, by its name above."""
    act = _PREPARE[name](data)

    def timed() -> None:
        act()

    return timed


def _pixels(data: bytes) -> "np.ndarray":
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)


def _decode(data: bytes) -> Act:
    from PIL import Image

    return lambda: Image.open(io.BytesIO(data)).load()


def _inpaint(data: bytes) -> Act:
    bgr = _pixels(data)
    element = cv2.getStructuringElement(cv2.MORPH_RECT, (9, 9))

    def act() -> object:
        stands_out = cv2.morphologyEx(cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY), cv2.MORPH_BLACKHAT, element)
        return cv2.inpaint(bgr, (stands_out > 80).astype(np.uint8), 3, cv2.INPAINT_TELEA)

    return act


def _non_local_means(data: bytes) -> Act:
    bgr = _pixels(data)
    return lambda: cv2.fastNlMeansDenoisingColored(bgr, None, NOISE, NOISE, 7, 21)


def _wiener(data: bytes) -> Act:
    from skimage.restoration import wiener

    image = _pixels(data).astype(np.float32) / 255.0
    rows, columns = np.mgrid[-4:5, -4:5]
    psf = np.exp(-(rows**2 + columns**2) / 2.0).astype(np.float32)
    psf /= psf.sum()
    return lambda: np.dstack([wiener(image[..., channel], psf, 0.1) for channel in range(3)])


def _clahe(data: bytes) -> Act:
    bgr = _pixels(data)

    def act() -> np.ndarray:
        lab = cv2.cvtColor(bgr, cv2.COLOR_BGR2LAB)
        lab[..., 0] = cv2.createCLAHE(2.0, (8, 8)).apply(lab[..., 0])
        return cv2.cvtColor(lab, cv2.COLOR_LAB2BGR)

    return act


def _grey_world(data: bytes) -> Act:
    bgr = _pixels(data)

    def act() -> np.ndarray:
        means = bgr.reshape(-1, 3).mean(axis=0)
        balanced = bgr * (means.mean() / means).astype(np.float32)
        return np.clip(balanced, 0, 255).astype(np.uint8)

    return act


def _toned(data: bytes) -> Act:
    bgr = _pixels(data)
    tone = np.outer((0.69, 0.88, 1.0), (0.114, 0.587, 0.299)).astype(np.float32)
    return lambda: cv2.transform(bgr, tone)


def _grab_cut(data: bytes) -> Act:
    bgr = _pixels(data)
    height, width = bgr.shape[:2]
    inside = (width // 10, height // 10, width * 8 // 10, height * 8 // 10)

    def act() -> np.ndarray:
        mask = np.zeros((height, width), np.uint8)
        cv2.grabCut(bgr, mask, inside, np.zeros((1, 65)), np.zeros((1, 65)), 1, cv2.GC_INIT_WITH_RECT)
        return mask

    return act


def _lanczos(data: bytes) -> Act:
    bgr = _pixels(data)
    return lambda: cv2.resize(bgr, None, fx=2.0, fy=2.0, interpolation=cv2.INTER_LANCZOS4)


def _sharpen_and_save(data: bytes) -> Act:
    from PIL import Image, ImageFilter

    image = Image.open(io.BytesIO(data)).convert("RGB")

    def act() -> bytes:
        written = io.BytesIO()
        image.filter(ImageFilter.UnsharpMask(1.0, 50, 0)).save(written, "JPEG", quality=90, optimize=True)
        return written.getvalue()

    return act


def _chain(data: bytes) -> Act:
    def act() -> bytes:
        clean = cv2.fastNlMeansDenoisingColored(_pixels(data), None, NOISE, NOISE, 7, 21)
        sharp = cv2.addWeighted(clean, 1.5, cv2.GaussianBlur(clean, (0, 0), 1.0), -0.5, 0.0)
        large = cv2.resize(sharp, None, fx=2.0, fy=2.0, interpolation=cv2.INTER_LANCZOS4)
        return bytes(cv2.imencode(".jpg", large, [cv2.IMWRITE_JPEG_QUALITY, 90])[1])

    return act


_PREPARE: dict[str, Callable[[bytes], Act]] = {
    BESIDE["assess"]: _decode,
    BESIDE["repair"]: _inpaint,
    BESIDE["denoise"]: _non_local_means,
    BESIDE["deblur"]: _wiener,
    BESIDE["low_light"]: _clahe,
    BESIDE["white_balance"]: _grey_world,
    BESIDE["colorize"]: _toned,
    BESIDE["background"]: _grab_cut,
    BESIDE["upscale"]: _lanczos,
    BESIDE["finish"]: _sharpen_and_save,
    CHAIN: _chain,
}
