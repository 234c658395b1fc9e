"""Which networks can be trained?"""

from models.training.recipe import Recipe
from models.training.recipes import denoise, upscale

#: Every recipe by the id of its model.
RECIPES: dict[str, Recipe] = {recipe.id: recipe for recipe in (denoise.RECIPE, upscale.RECIPE)}
