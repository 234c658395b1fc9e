"""Converts the samples of a TIFF to the full range of 8 or 16 bits."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from darkroom.domain.errors import BadImage
from darkroom.imaging.codec.formats.tiff.layout import Layout
from darkroom.imaging.codec.samples import widen
from darkroom.imaging.picture import Pixels


class Depth:
    """Converts samples part by part and remembers the range of values that was found.

    Unsigned integers of up to 8 bits fill 8 bits, all others 16. Signed integers below zero become 0. Floats are
    expected between 0 and 1.
    """

    def __init__(self, layout: Layout) -> None:
        self._bits, self._format = layout.bits, layout.format
        #: Type of the converted samples.
        self.dtype = np.dtype(np.uint8 if layout.bits <= 8 else np.uint16)
        self._lowest, self._highest = 0.0, 1.0

    def convert(self, samples: NDArray[Any], top: int) -> Pixels:
        """The samples of rows from `top` on in the full range. Raises `BadImage` (not_finite) for NaN and infinity."""
        if self._format == "float":
            return self._from_floats(samples, top)
        if self._format == "signed":
            # The positive half of a signed type has one bit less.
            self._lowest = min(self._lowest, int(samples.min()))
            return self._from_unsigned(samples.clip(0).view(f"u{samples.itemsize}"), self._bits - 1)
        return self._from_unsigned(samples, self._bits)

    def notes(self) -> tuple[str, ...]:
        """What was clipped."""
        if self._format == "signed" and self._lowest < 0:
            return (f"signed {self._bits}-bit samples: negative values (down to {self._lowest:g}) became black",)
        if self._format == "float" and (self._lowest < 0.0 or self._highest > 1.0):
            found = f"from {self._lowest:g} to {self._highest:g}"
            return (f"float samples {found} were clipped to the range 0 to 1",)
        return ()

    def _from_unsigned(self, samples: NDArray[Any], bits: int) -> Pixels:
        if self.dtype == np.uint16:
            return widen(samples, bits)
        if bits == 8:
            return samples
        top = max((1 << bits) - 1, 1)
        table = (np.arange(256).clip(0, top) * 255 + top // 2) // top
        full: Pixels = table.astype(np.uint8)[samples]
        return full

    def _from_floats(self, samples: NDArray[Any], top: int) -> Pixels:
        finite = np.isfinite(samples)
        if not finite.all():
            bad = int(np.count_nonzero(~finite))
            message = f"{bad} samples in rows {top} to {top + len(samples) - 1} are NaN or infinite"
            raise BadImage(message, code="not_finite")
        self._lowest, self._highest = min(self._lowest, float(samples.min())), max(self._highest, float(samples.max()))
        # A half float cannot hold 65535.
        wide = samples.astype(np.float32) if samples.itemsize < 4 else samples
        integers: Pixels = np.rint(np.clip(wide, 0.0, 1.0) * 65535).astype(np.uint16)
        return integers
