"""Defines the measured figures of a model: cost, and gain over the built-in model."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class _Figures(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Cost(_Figures):
    """Cost of one run of a model on a processor."""

    #: Processor seconds, added up over all threads, for each picture or for each input megapixel.
    cpu_s: float = Field(gt=0)
    #: `picture` for a network that reads a reduction of the picture, `megapixel` for one that runs tile by tile.
    per: Literal["picture", "megapixel"]
    #: Peak memory of the whole process in MB.
    memory_mb: int = Field(gt=0)
    #: The processor that this was measured on.
    processor: str = Field(min_length=1)

    def seconds(self, megapixels: float) -> float:
        """Return the processor seconds for a picture of that size before the stage."""
        return self.cpu_s * (megapixels if self.per == "megapixel" else 1.0)


class Evidence(_Figures):
    """One figure, measured on the same pictures for a model and for the built-in one; larger is better."""

    #: What was measured, with its unit.
    measure: str = Field(min_length=1)
    #: On which pictures.
    on: str = Field(min_length=1)
    value: float
    built_in: float

    @property
    def gain(self) -> float:
        """By how much the model is better; negative if it is worse."""
        return self.value - self.built_in

    def __str__(self) -> str:
        return f"{self.measure} {self.value:g} against {self.built_in:g} on {self.on}"
