"""Files of every kind, good and bad, made on the spot: each function returns the bytes of one file."""

import struct
import zlib
from io import BytesIO
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests import heic_samples, profiles
from tests.descriptions import camera_exif, iptc_records, xmp_packet

U8 = NDArray[np.uint8]
U16 = NDArray[np.uint16]

HEIGHT, WIDTH = 48, 64


def scene(height: int = HEIGHT, width: int = WIDTH) -> U8:
    """(H, W, 3): smooth gradients, a red patch top left and a blue one bottom right, so that no turn looks alike."""
    rows, columns = np.mgrid[0:height, 0:width]
    planes = (columns * 200 // width + 20, rows * 200 // height + 20, (rows + columns) * 200 // (height + width) + 20)
    image = np.dstack(planes).astype(np.uint8)
    image[: height // 4, : width // 4] = (220, 40, 40)
    image[-height // 4 :, -width // 4 :] = (30, 60, 230)
    return image


def scene16(height: int = HEIGHT, width: int = WIDTH, channels: int = 3) -> U16:
    """(H, W) or (H, W, 2 to 4): values that need all 16 bits; the last of 2 or 4 channels is alpha, partly 0."""
    rows, columns = np.mgrid[0:height, 0:width]
    planes = [(rows * 977 + columns * (331 + 50 * plane) + plane * 7001) % 65536 for plane in range(channels)]
    image = np.dstack(planes).astype(np.uint16)
    if channels in (2, 4):
        image[: height // 3, :, -1] = 0
    return image[..., 0] if channels == 1 else image


def scene_with_alpha(height: int = HEIGHT, width: int = WIDTH) -> U8:
    """(H, W, 4): the scene, transparent in its upper third (colours below), half transparent in its last column."""
    alpha = np.full((height, width), 255, np.uint8)
    alpha[: height // 3] = 0
    alpha[:, -1] = 128
    return np.dstack((scene(height, width), alpha))


def saved(pixels: NDArray[Any] | Image.Image, name: str, **options: Any) -> bytes:
    """Pixels as a file of any format that Pillow writes."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    sink = BytesIO()
    image.save(sink, name, **options)
    return sink.getvalue()


# One good file of each format


def jpeg_bytes(pixels: NDArray[Any] | None = None, **options: Any) -> bytes:
    """A JPEG of the scene or of `pixels`."""
    return saved(scene() if pixels is None else pixels, "JPEG", **{"quality": 95, "subsampling": 0} | options)


def png_bytes(pixels: NDArray[Any] | None = None, **options: Any) -> bytes:
    """An 8-bit PNG."""
    return saved(scene() if pixels is None else pixels, "PNG", **options)


def webp_bytes(pixels: NDArray[Any] | None = None, **options: Any) -> bytes:
    """A lossless WebP."""
    return saved(scene() if pixels is None else pixels, "WEBP", **{"lossless": True, "exact": True} | options)


def tiff_bytes(pixels: NDArray[Any] | None = None, **options: Any) -> bytes:
    """An 8-bit TIFF with deflate compression."""
    return saved(scene() if pixels is None else pixels, "TIFF", **{"compression": "tiff_adobe_deflate"} | options)


def bmp_bytes(pixels: NDArray[Any] | None = None) -> bytes:
    """A 24-bit BMP."""
    return saved(scene() if pixels is None else pixels, "BMP")


def gif_bytes(pixels: NDArray[Any] | None = None) -> bytes:
    """A GIF of one frame."""
    return saved(scene() if pixels is None else pixels, "GIF")


def avif_bytes(pixels: NDArray[Any] | None = None, **options: Any) -> bytes:
    """An AVIF at high quality without chroma subsampling."""
    defaults = {"quality": 95, "subsampling": "4:4:4", "speed": 8, "max_threads": 1}
    return saved(scene() if pixels is None else pixels, "AVIF", **defaults | options)


def heic_bytes() -> bytes:
    """A HEIC of `scene()`."""
    return heic_samples.PLAIN


def every_format() -> dict[str, bytes]:
    """A good file of the scene in every accepted format."""
    return {
        "jpeg": jpeg_bytes(),
        "png": png_bytes(),
        "webp": webp_bytes(),
        "tiff": tiff_bytes(),
        "bmp": bmp_bytes(),
        "gif": gif_bytes(),
        "avif": avif_bytes(),
        "heic": heic_bytes(),
    }


# Other kinds of samples


def grey_jpeg() -> bytes:
    """A JPEG of one component."""
    return jpeg_bytes(scene()[..., 1])


def bilevel_png() -> bytes:
    """A PNG of one bit a pixel."""
    return saved(Image.fromarray(scene()[..., 0] > 120), "PNG")


def palette_png(*, transparent: bool = False) -> bytes:
    """A PNG of 32 colours; the one of the first pixel fully transparent if asked for."""
    image = Image.fromarray(scene()).quantize(32, dither=Image.Dither.NONE)
    options = {"transparency": image.getpixel((0, 0))} if transparent else {}
    return saved(image, "PNG", **options)


def grey_alpha_png() -> bytes:
    """A PNG of grey and alpha, 8 bits."""
    return png_bytes(np.ascontiguousarray(scene_with_alpha()[..., [1, 3]]))


def png16(channels: int = 3) -> bytes:
    """A 16-bit PNG of 1 to 4 channels holding `scene16(channels=channels)`."""
    return raw_png(scene16(channels=channels))


def raw_png(values: U16, extra: bytes = b"") -> bytes:
    """A 16-bit PNG written by hand, with chunks `extra` between header and pixels."""
    height, width = values.shape[:2]
    color_type = {1: 0, 2: 4, 3: 2, 4: 6}[1 if values.ndim == 2 else values.shape[2]]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", width, height, 16, color_type, 0, 0, 0)
    return png_file(png_chunk(b"IHDR", header), extra, png_chunk(b"IDAT", zlib.compress(rows)))


def tiff16(channels: int = 3) -> bytes:
    """A 16-bit TIFF of 1, 3 or 4 channels holding `scene16(channels=channels)`."""
    values = scene16(channels=channels)
    ordered = values if channels == 1 else values[..., [2, 1, 0, 3][:channels]]
    return cv2.imencode(".tiff", ordered)[1].tobytes()


def float_tiff(values: NDArray[np.floating]) -> bytes:
    """A TIFF of 32-bit floats: (H, W), or (H, W, 3) in RGB order."""
    return cv2.imencode(".tiff", values if values.ndim == 2 else values[..., ::-1])[1].tobytes()


def cmyk_jpeg(profile: bytes | None = None) -> bytes:
    """A CMYK JPEG as Adobe writes it: with the Adobe marker, inverted."""
    options = {"icc_profile": profile} if profile else {}
    return saved(Image.fromarray(scene()).convert("CMYK"), "JPEG", quality=95, **options)


def cmyk_tiff(profile: bytes | None = None) -> bytes:
    """An uncompressed CMYK TIFF."""
    options = {"icc_profile": profile} if profile else {}
    return saved(Image.fromarray(scene()).convert("CMYK"), "TIFF", **options)


def lab_tiff() -> bytes:
    """A TIFF in CIE Lab of one mid grey."""
    return saved(Image.new("LAB", (WIDTH, HEIGHT), (137, 128, 128)), "TIFF")


def wide_gamut_jpeg() -> bytes:
    """A JPEG whose numbers mean Display P3, with that profile."""
    return jpeg_bytes(icc_profile=profiles.display_p3())


def wide_gamut_png16() -> bytes:
    """A 16-bit PNG whose numbers mean Display P3, with that profile."""
    packed = b"P3\0\0" + zlib.compress(profiles.display_p3())
    return raw_png(scene().astype(np.uint16) * 257, png_chunk(b"iCCP", packed))


# Several pictures in one file


def animated_gif(frames: int = 3) -> bytes:
    """A GIF whose first frame is the scene in 256 colours and whose others are plain."""
    return _sequence("GIF", frames)


def animated_webp(frames: int = 3) -> bytes:
    """A lossless WebP animation whose first frame is the scene."""
    return _sequence("WEBP", frames, lossless=True)


def animated_png(frames: int = 3) -> bytes:
    """An APNG whose first frame is the scene."""
    return _sequence("PNG", frames)


def pages_tiff(pages: int = 3) -> bytes:
    """A TIFF whose first page is the scene."""
    return _sequence("TIFF", pages)


def _sequence(name: str, frames: int, **options: Any) -> bytes:
    others = [Image.new("RGB", (WIDTH, HEIGHT), (0, 80 * i % 256, 40)) for i in range(1, frames)]
    return saved(Image.fromarray(scene()), name, save_all=True, append_images=others, **options)


# Descriptions


def with_orientation(value: int, name: str = "JPEG") -> bytes:
    """The scene stored so that orientation `value` (1 to 8) makes it upright again."""
    stored = Image.fromarray(scene())
    inverse = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    if value in inverse:
        stored = stored.transpose(inverse[value])
    options: dict[str, Any] = {"quality": 95, "subsampling": 0} if name == "JPEG" else {}
    if name == "WEBP":
        options = {"lossless": True}
    if name == "AVIF":
        options = {"quality": 95, "subsampling": "4:4:4"}
    if name == "TIFF":
        return saved(stored, name, tiffinfo={274: value})
    exif = Image.Exif()
    exif[0x0112] = value
    return saved(stored, name, exif=exif.tobytes(), **options)


def described_jpeg(**options: Any) -> bytes:
    """A JPEG with EXIF, XMP and IPTC, places included, at 300 dpi."""
    resource = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(iptc_records())) + iptc_records()
    resource += bytes(len(iptc_records()) % 2)
    segment = b"Photoshop 3.0\0" + resource
    return jpeg_bytes(
        exif=b"Exif\0\0" + camera_exif(),
        xmp=xmp_packet(),
        dpi=(300, 300),
        extra=b"\xff\xed" + struct.pack(">H", len(segment) + 2) + segment,
        **options,
    )


# Parts of JPEG files

#: A start of scan without pixel data.
EMPTY_SCAN = b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00"


def jpeg_segment(marker: int, payload: bytes) -> bytes:
    """A segment with its length."""
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def with_segments(data: bytes, *segments: bytes) -> bytes:
    """A JPEG with segments right behind its first marker."""
    return data[:2] + b"".join(segments) + data[2:]


# Bad input


def empty() -> bytes:
    """Nothing at all."""
    return b""


def text_file() -> bytes:
    """A text that somebody named .jpg."""
    return b"Dear all, the photographs follow tomorrow.\n"


def truncated_jpeg() -> bytes:
    """The first half of a JPEG."""
    return _first_half(jpeg_bytes(scene(200, 300)))


def truncated_png() -> bytes:
    """The first half of a PNG."""
    return _first_half(png_bytes(scene(200, 300)))


def _first_half(data: bytes) -> bytes:
    return data[: len(data) // 2]


def corrupt_png() -> bytes:
    """A PNG with one byte of its pixels changed: the checksum tells."""
    data = bytearray(png_bytes())
    data[-30] ^= 0xFF
    return bytes(data)


def bomb_png(width: int = 100_000, height: int = 100_000) -> bytes:
    """A PNG that claims an enormous size in its header and holds next to nothing."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return png_file(png_chunk(b"IHDR", header), png_chunk(b"IDAT", zlib.compress(bytes(1000))))


def zero_area_png() -> bytes:
    """A PNG of no width."""
    return bomb_png(0, 10)


def text_bomb_png(size: int = 50_000_000) -> bytes:
    """A small PNG with a compressed text that unfolds to `size` bytes."""
    return _with_chunk(png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(size), 9)))


def profile_bomb_png(size: int = 50_000_000) -> bytes:
    """A small PNG with a compressed profile that unfolds to `size` bytes."""
    return _with_chunk(png_chunk(b"iCCP", b"icc\0\0" + zlib.compress(bytes(size), 9)))


def float_tiff_with_nan() -> bytes:
    """A TIFF of floats, one of which is NaN."""
    values = (scene()[..., 1] / 255).astype(np.float32)
    values[7, 9] = np.nan
    return float_tiff(values)


def pdf_file() -> bytes:
    """The beginning of a PDF."""
    return b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n"


def _with_chunk(chunk: bytes) -> bytes:
    data = png_bytes()
    return data[:33] + chunk + data[33:]


def png_chunk(name: bytes, payload: bytes) -> bytes:
    """One PNG chunk with its checksum."""
    return struct.pack(">I", len(payload)) + name + payload + struct.pack(">I", zlib.crc32(name + payload))


def png_file(*chunks: bytes) -> bytes:
    """Signature, chunks, IEND."""
    return b"".join((b"\x89PNG\r\n\x1a\n", *chunks, png_chunk(b"IEND", b"")))
