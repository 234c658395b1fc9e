"""Defines the measurements of a picture.

Pure: `assess` computes them, the planner reads them, and the job and the manifest store them as JSON.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurements:
    """The measurements of one picture; all shades are those of the sRGB-encoded picture."""

    #: Height in pixels, orientation applied.
    height: int
    #: Width in pixels, orientation applied.
    width: int
    #: Bits per channel: 8 or 16.
    bits: int = 8
    #: Name of the file's format: jpeg, png, webp, …; empty for a picture that came from no file.
    format: str = ""
    #: Frames of the file; if above 1, only the first is processed.
    frames: int = 1
    #: Whether any pixel is less than opaque.
    has_alpha: bool = False
    #: Whether no pixel has a visible colour; a sepia print is not greyscale.
    greyscale: bool = False
    #: Whether all colours are one hue that follows from lightness, as in a sepia print or a cyanotype.
    toned: bool = False
    #: Standard deviation of the noise of a colour channel at native resolution, on the 0-255 scale; clean: below 2.
    noise_sigma: float = 0.0
    #: How steep the picture's steepest edges are, 0-1: the step across one pixel as a share of the whole edge.
    sharpness: float = 0.0
    #: Deviation in pixels of a Gaussian that explains the steepest edges; 0.1 to 0.9 in sharp pictures, 0 unknown.
    blur_radius: float = 0.0
    #: Share of the pixels on edges steep enough to judge sharpness by, 0-1; near 0 the sharpness is unknown.
    edge_share: float = 0.0
    #: Mean luma, 0-1; without plain white backgrounds.
    exposure_mean: float = 0.0
    #: Median luma, 0-1; without plain white backgrounds.
    exposure_median: float = 0.0
    #: Share of the pixels whose luma is at the lower end of the range, 0-1.
    clipped_shadows: float = 0.0
    #: Share of the pixels that are blown out, 0-1; without plain white backgrounds.
    clipped_highlights: float = 0.0
    #: Share of the picture that is a plain white background, connected to its border, 0-1.
    white_background: float = 0.0
    #: Range of luma between the 1st and the 99th percentile, 0-1.
    contrast: float = 0.0
    #: Hasler and Suesstrunk's colourfulness; 0 is grey, about 30 usual, above 80 extremely colourful.
    colourfulness: float = 0.0
    #: Strength of an overall colour cast, 0-1; from about 0.45 a cast is more likely than a coloured scene.
    cast_strength: float = 0.0
    #: Probability that one colour covers the whole picture like a veil, 0-1: the darkest values are lifted, the range
    #: compressed.
    veil: float = 0.0
    #: Red, green and blue of the estimated illuminant in linear light; their mean is 1.
    illuminant_red: float = 1.0
    #: As `illuminant_red`.
    illuminant_green: float = 1.0
    #: As `illuminant_red`.
    illuminant_blue: float = 1.0
    #: Excess of the steps at the borders of 8x8 blocks over the steps beside them, 0-1; 0 shows no JPEG blocks.
    blockiness: float = 0.0

    @property
    def pixels(self) -> int:
        """Height times width."""
        return self.height * self.width

    @property
    def shorter_side(self) -> int:
        """The smaller of height and width, in pixels."""
        return min(self.height, self.width)

    def to_json(self) -> dict[str, Any]:
        """Flat and JSON-able, fields in this order."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Measurements":
        """The inverse of `to_json`; unknown names are skipped, so that older jobs stay readable."""
        known = {each.name for each in fields(cls)}
        return cls(**{name: value for name, value in values.items() if name in known})


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A quality score in one number, with its parts."""

    #: 0-100; larger is better.
    value: float
    #: 0-100 each. Of the network: noise, blur, blocking, exposure, cast; of the measurements: noise, sharpness,
    #: exposure, contrast, cast, blockiness.
    parts: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))

    def to_json(self) -> dict[str, Any]:
        """JSON-able."""
        return {"value": self.value, "parts": dict(self.parts)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Score":
        """The inverse of `to_json`."""
        return cls(value=float(values["value"]), parts={name: float(part) for name, part in values["parts"].items()})
