"""Computes the size of an enlarged picture.

Pure arithmetic on heights and widths: the planner skips `upscale` if it would change nothing, and the stage enlarges to
exactly the size that the planner computed.
"""

from darkroom.domain.errors import BadPipeline
from darkroom.domain.parameters import UpscaleParameters

#: Largest picture that `upscale` or `finish` makes, in pixels: 100 megapixels, 300 MB of 8-bit RGB.
MAX_OUTPUT_PIXELS = 100_000_000
#: Longest side of a picture, in pixels: libpng reads and writes no longer one (PNG_USER_WIDTH_MAX), and OpenCV ends
#: at 2^20 (OPENCV_IO_MAX_IMAGE_WIDTH).
MAX_SIDE = 1_000_000

#: What a model does not reach of a factor is left to interpolation up to this: another pass, or a larger model, would
#: cost its full time for what Lanczos does as well.
NEGLIGIBLE_FACTOR = 1.02

#: What `same_size` enlarges by before it reduces again.
SAME_SIZE_SCALE = 2.0

Size = tuple[int, int]


def scaled(height: int, width: int, factor: float) -> Size:
    """Height and width times `factor`, rounded to the nearest, never below one pixel."""
    return max(1, round(height * factor)), max(1, round(width * factor))


def within(height: int, width: int, longest_side: int) -> Size:
    """Height and width reduced to at most `longest_side`, with the same shape; a smaller picture keeps its size."""
    return scaled(height, width, min(1.0, longest_side / max(height, width)))


def upscale_factor(parameters: UpscaleParameters, height: int, width: int) -> float:
    """The factor by which both sides grow; 1.0 or less means that there is nothing to enlarge.

    With a width or a height alone the other side follows; with neither a size nor a factor given the model's own ×2
    is meant.
    """
    if parameters.same_size:
        return 1.0
    if parameters.width is not None:
        return parameters.width / width
    if parameters.height is not None:
        return parameters.height / height
    if parameters.min_side is not None:
        return parameters.min_side / min(height, width)
    return parameters.scale or SAME_SIZE_SCALE


def model_factor(parameters: UpscaleParameters, height: int, width: int) -> float:
    """The factor that a model is wanted for."""
    return SAME_SIZE_SCALE if parameters.same_size else upscale_factor(parameters, height, width)


def target_size(parameters: UpscaleParameters, height: int, width: int) -> Size:
    """Height and width after `upscale`; the very input size if there is nothing to enlarge.

    Raises `BadPipeline` (code `output_too_large`) above `MAX_OUTPUT_PIXELS` or `MAX_SIDE`.
    """
    factor = upscale_factor(parameters, height, width)
    if factor <= 1.0:
        return height, width
    target = scaled(height, width, factor)
    require_writable(*target)
    return target


def has_work(parameters: UpscaleParameters, height: int, width: int) -> bool:
    """Whether `upscale` would change anything: a picture that is large enough already stays as it is."""
    return parameters.same_size or upscale_factor(parameters, height, width) > 1.0


def require_writable(height: int, width: int) -> None:
    """Refuse a size that would not fit the memory of a function, or that no file can have.

    Raises `BadPipeline` (code `output_too_large`) above `MAX_OUTPUT_PIXELS` or `MAX_SIDE`.
    """
    if max(height, width) > MAX_SIDE:
        raise BadPipeline(
            f"a result of {height}x{width} has a side of {max(height, width)} pixels, the limit is {MAX_SIDE}",
            code="output_too_large",
            value=max(height, width),
            limit=MAX_SIDE,
        )
    if height * width > MAX_OUTPUT_PIXELS:
        raise BadPipeline(
            f"a result of {height}x{width} = {height * width} pixels exceeds {MAX_OUTPUT_PIXELS} pixels",
            code="output_too_large",
            value=height * width,
            limit=MAX_OUTPUT_PIXELS,
        )
