"""What does the gallery show: photographs spoilt as people spoil them, and the same before that.

All are scikit-image's, in the public domain or free to use, and none was trained on. Every scene is the same on every
run.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import skimage.data
from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFont

from darkroom.imaging.picture import Image, Pixels, to_float
from models.training import blur, damage, lighting
from models.training.degradations import film_grain, gaussian_noise, jpeg, quantise, reduced, to_u8

#: A dark scene's photographs: eight times less light, with the noise of the photons that are left.
NIGHT = lighting.Exposure(
    factor=8.0,
    sigma=1.5,
    shot_share=0.7,
    contrast=0.2,
    grain=0.5,
    coloured=np.array([1.3, 1.0, 1.5], np.float32),
    light=np.array([1.08, 1.0, 0.9], np.float32),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One photograph before and after it was spoilt."""

    name: str
    given: Pixels
    #: What a perfect restoration would give; None if it is unknown.
    wanted: Pixels | None


Spoil = Callable[[Image, np.random.Generator], Image]


def portrait() -> Pixels:
    """A person before flags and a model of a shuttle (NASA, public domain)."""
    return skimage.data.astronaut()


def cat() -> Pixels:
    """Fur (CC0)."""
    return np.ascontiguousarray(skimage.data.chelsea()[:, 20:420])


def table() -> Pixels:
    """A cup and a spoon on a wooden table (CC0)."""
    return skimage.data.coffee()


def launch_pad() -> Pixels:
    """A rocket between towers at dusk (public domain)."""
    return skimage.data.rocket()


def cluttered() -> Pixels:
    """The cup with a page, print and coins lying around it on the table."""
    scene = skimage.data.coffee().copy()
    for found, (top, left), width in (
        (np.rot90(skimage.data.page()), (8, 490), 104),
        (np.rot90(skimage.data.text()), (232, 502), 98),
        (skimage.data.coins(), (318, 4), 96),
        (skimage.data.page(), (6, 4), 150),
    ):
        height = round(found.shape[0] * width / found.shape[1])
        sheet = cv2.resize(np.ascontiguousarray(found), (width, height), interpolation=cv2.INTER_AREA)
        target = scene[top : top + height, left : left + width]
        target[...] = sheet[: target.shape[0], : target.shape[1], np.newaxis]
    return scene


def label() -> Pixels:
    """Print on a label, from large to small, on the cup's table."""
    scene = PillowImage.fromarray(skimage.data.coffee()[40:360, 100:580])
    draw = ImageDraw.Draw(scene)
    draw.rounded_rectangle((90, 60, 390, 250), 8, fill=(244, 240, 228), outline=(120, 30, 30), width=3)
    lines = (("COFFEE", 44), ("Roasted in small batches", 22), ("Net weight 250 g · lot 7731-B", 16), ("Best before 2027-03-14", 13))  # fmt: skip  # noqa: E501
    top = 72
    for text, height in lines:
        draw.text((110, top), text, fill=(60, 25, 20), font=ImageFont.load_default(height))
        top += round(1.35 * height)
    return np.array(scene)


def spoilt(name: str, photograph: Pixels, spoil: Spoil, *, seed: int = 7) -> Scene:
    """A scene of a photograph, stored with 8 bits after it was spoilt."""
    given = spoil(to_float(photograph), np.random.default_rng(seed))
    return Scene(name=name, given=to_u8(quantise(given)), wanted=photograph)


def untouched(name: str, photograph: Pixels) -> Scene:
    """A scene in which there is nothing to do."""
    return Scene(name=name, given=photograph, wanted=photograph)


def faded(image: Image) -> Image:
    """Two thirds of the contrast around a light, yellowish grey: dyes that have bleached."""
    paper = np.array([0.62, 0.56, 0.46], np.float32)
    return (paper + np.float32(0.6) * (image - np.float32(0.5))).clip(0, 1).astype(np.float32)


def grey(photograph: Pixels) -> Pixels:
    """Luma in all three channels."""
    return np.repeat(cv2.cvtColor(photograph, cv2.COLOR_RGB2GRAY)[..., np.newaxis], 3, axis=2)


def old_print(image: Image, rng: np.random.Generator) -> Image:
    """Faded, grained, scratched, scanned."""
    grained = film_grain(faded(image), 9, rng, radius=0.7, coloured=False)
    return jpeg(damage.damaged(grained, rng)[0], 88)


def at_night(image: Image, rng: np.random.Generator) -> Image:
    """Too little light, and the noise that follows."""
    return jpeg(lighting.photon_noise(lighting.underexposed(image, NIGHT), NIGHT, rng), 92)


def in_tungsten(image: Image, rng: np.random.Generator) -> Image:  # noqa: ARG001
    """A bulb of 2850 K, and a camera set to daylight."""
    light = lighting.black_body(2850)
    return lighting.under_light(image, light / light.max())


def under_water(image: Image, rng: np.random.Generator) -> Image:
    """Some metres down."""
    return lighting.veiled(image, *lighting.water(image.shape, rng))


def smaller(factor: int, quality: int = 0) -> Spoil:
    """Reduced, and compressed if a quality is given."""
    return lambda image, _: jpeg(reduced(image, factor), quality) if quality else reduced(image, factor)


def noisy(sigma: float) -> Spoil:
    """White noise."""
    return lambda image, rng: gaussian_noise(image, sigma, rng)


def grained(sigma: float) -> Spoil:
    """Grain of black and white film."""
    return lambda image, rng: film_grain(image, sigma, rng, radius=0.6, coloured=False)


def blurred(kernel: blur.Kernel, sigma: float = 1.0) -> Spoil:
    """Blurred, with a little noise."""
    return lambda image, rng: gaussian_noise(blur.blurred(image, kernel), sigma, rng)


def compressed(quality: int) -> Spoil:
    """JPEG blocks."""
    return lambda image, _: jpeg(image, quality)


def scratched(image: Image, rng: np.random.Generator) -> Image:
    """Any damage."""
    return damage.damaged(image, rng)[0]


def scratched_and_softened(sigma: float) -> Spoil:
    """Any damage, and then as soft as a scan or an enlargement: a Gaussian of so many pixels over everything."""
    return lambda image, rng: cv2.GaussianBlur(scratched(image, rng), (0, 0), sigma).astype(np.float32)
