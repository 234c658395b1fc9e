"""How clear are edges and text for the bytes, by format and setting?

    python -m tests.bench.edge_clarity

Six pictures: scans of text and of a page, two photographs, each with and without coloured lettering drawn on it, and
lettering on white. Printed: bits a pixel, mean colour difference (CIEDE2000) at the strongest tenth of edges and
everywhere, SSIM of the grey picture, PSNR at edges; each the mean over the pictures.
"""

from collections.abc import Iterator

import cv2
import numpy as np
from skimage import color
from skimage import data as photographs
from skimage.metrics import structural_similarity

from darkroom.imaging.codec import EncodeOptions, Metadata, OutputFormat, decode, encode
from darkroom.imaging.picture import Picture
from tests.pictures import jpeg_bytes

_INKS = ((220, 20, 20), (20, 30, 210), (10, 140, 30), (240, 200, 20), (200, 20, 180))


def main() -> None:
    """Print one line per setting."""
    scores: dict[str, list[tuple[float, ...]]] = {}
    for image in _images():
        edges = _edges(image)
        for label, data in _files(image):
            scores.setdefault(label, []).append(_scores(image, decode(data).picture.pixels, edges, len(data)))
    print(f"{'setting':28} bits/px  dE edges  dE all  SSIM    PSNR edges")
    for label, rows in scores.items():
        bits, at_edges, everywhere, ssim, psnr_db = np.mean(rows, axis=0)
        print(f"{label:28} {bits:7.2f} {at_edges:9.2f} {everywhere:7.2f}  {ssim:.4f} {psnr_db:8.1f} dB")


def _images() -> Iterator[np.ndarray]:
    white = np.full((400, 600, 3), 255, np.uint8)
    for image in (photographs.text(), photographs.page(), photographs.coffee(), white):
        yield _lettered(image)
    yield photographs.coffee()
    yield photographs.astronaut()


def _lettered(image: np.ndarray) -> np.ndarray:
    lettered = np.ascontiguousarray(image if image.ndim == 3 else np.dstack([image] * 3))
    for line, ink in enumerate(_INKS):
        place, size, weight = (10, 30 + line * 32), 0.4 + 0.12 * line, 1 + line // 3
        cv2.putText(lettered, "Sale 24.90 Acme", place, cv2.FONT_HERSHEY_SIMPLEX, size, ink, weight, cv2.LINE_AA)
    return lettered


def _files(image: np.ndarray) -> Iterator[tuple[str, bytes]]:
    for quality in (80, 85, 88, 90, 92):
        yield f"ours, JPEG {quality}", _ours(image, "jpeg", quality)
    for label, halved in (("4:4:4", 0), ("4:2:0", 2)):
        for quality in (85, 90, 92, 95):
            options = {"quality": quality, "subsampling": halved, "optimize": True, "progressive": True}
            yield f"usual tables, JPEG {label} {quality}", jpeg_bytes(image, **options)
    for quality in (85, 90, 95):
        yield f"ours, WebP {quality}", _ours(image, "webp", quality)
    for quality in (80, 85, 90):
        yield f"ours, AVIF {quality}", _ours(image, "avif", quality)


def _ours(image: np.ndarray, name: OutputFormat, quality: int) -> bytes:
    options = EncodeOptions(format=name, quality=quality, metadata_policy="strip")
    return encode(Picture(pixels=image), options, Metadata()).data


def _edges(image: np.ndarray) -> np.ndarray:
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB).astype(np.float32)
    planes = [lab[..., channel] for channel in range(3)]
    slope = sum(np.hypot(cv2.Sobel(plane, -1, 1, 0), cv2.Sobel(plane, -1, 0, 1)) for plane in planes)
    strong = (slope > np.quantile(slope, 0.9)).astype(np.uint8)
    return cv2.dilate(strong, np.ones((3, 3), np.uint8)) > 0


def _scores(image: np.ndarray, arrived: np.ndarray, edges: np.ndarray, size: int) -> tuple[float, ...]:
    difference = color.deltaE_ciede2000(color.rgb2lab(image), color.rgb2lab(arrived))
    greys = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in (image, arrived)]
    squared = np.mean((image[edges].astype(float) - arrived[edges]) ** 2)
    return (
        size * 8 / image[..., 0].size,
        float(difference[edges].mean()),
        float(difference.mean()),
        float(structural_similarity(*greys)),
        float(10 * np.log10(255**2 / squared)),
    )


if __name__ == "__main__":
    main()
