"""How does a greyscale picture get colours?"""

from shared.errors import ModelUnusable
from shared.imaging.measure import is_grey
from shared.imaging.picture import Picture
from shared.parameters import ColorizeParameters
from shared.stages import StageModel, StageOutput, run_model


def classical(picture: Picture, parameters: ColorizeParameters, method: str) -> StageOutput:  # noqa: ARG001
    """There is none: which colour a grey was cannot be calculated, only learnt.

    Raises ModelUnusable, code `no_method`.
    """
    raise ModelUnusable(f"colorize has no classical method {method!r}; it needs a model", code="no_method")


def with_model(picture: Picture, parameters: ColorizeParameters, model: StageModel) -> StageOutput:
    """Colours by a network. A picture that has colour already comes back as it is unless `force` is set."""
    grey = is_grey(picture.pixels)
    if not grey and not parameters.force:
        note = "the picture has colour already; force=true colorizes it all the same"
        return StageOutput(picture=picture, notes=(note,), values={"greyscale": False})
    pixels = run_model(model, picture.pixels)
    return StageOutput(picture=picture.with_pixels(pixels), values={"greyscale": grey})
