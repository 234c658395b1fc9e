"""Lists the networks that can be trained."""

from models.training.recipe import Recipe
from models.training.recipes import (
    assess,
    background,
    colorize,
    deblur,
    deblur_detail,
    denoise,
    low_light,
    low_light_detail,
    repair,
    upscale,
    white_balance,
    white_balance_veil,
)

#: Every recipe by the id of its model.
RECIPES: dict[str, Recipe] = {
    recipe.id: recipe
    for recipe in (
        assess.RECIPE,
        background.RECIPE,
        colorize.RECIPE,
        deblur.RECIPE,
        deblur_detail.RECIPE,
        denoise.RECIPE,
        low_light.RECIPE,
        low_light_detail.RECIPE,
        repair.RECIPE,
        upscale.X2,
        upscale.X4,
        white_balance.RECIPE,
        white_balance_veil.RECIPE,
    )
}
