"""How much is measured, and how often?"""

from dataclasses import dataclass, replace

from darkroom.domain.parameters import PARAMETERS, Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """The sizes and repetitions of a run."""

    #: Counted repetitions, after one that is not counted.
    repetitions: int = 5
    stages: tuple[Stage, ...] = tuple(PARAMETERS)
    #: Sizes of the pictures in megapixels (10^6 pixels).
    stages_mp: tuple[float, ...] = (0.25, 1.0, 2.0)
    networks_mp: float = 1.0
    #: Whether the networks of others are built with few channels, for a trial.
    narrow: bool = False
    pipeline_mp: float = 1.0
    events_mp: tuple[float, ...] = (0.25, 1.0)
    startup_mp: float = 0.25
    throughput_mp: float = 0.25
    memory_mp: float = 2.0
    #: Photographs that go through the service at once.
    photographs: int = 40
    api_mp: tuple[float, ...] = (0.25, 1.0)
    presets: tuple[str, ...] = ("auto", "restore", "product", "color_cast")
    #: Counted answers to each kind of request.
    requests: int = 40
    #: Jobs, messages or refusals around the one that is looked at.
    growth: tuple[int, int] = (1_000, 20_000)
    #: Jobs that a sweep purges.
    expired_jobs: tuple[int, ...] = (1000, 20_000, 50_000)

    @classmethod
    def small(cls) -> "Effort":
        """Enough to see that the benches run."""
        tiny = 0.01
        return cls(
            repetitions=1,
            stages=("assess", "denoise", "finish"),
            stages_mp=(tiny,),
            networks_mp=tiny,
            narrow=True,
            pipeline_mp=tiny,
            events_mp=(tiny,),
            startup_mp=tiny,
            throughput_mp=tiny,
            memory_mp=tiny,
            photographs=2,
            api_mp=(tiny,),
            presets=("auto",),
            requests=2,
            growth=(10, 20),
            expired_jobs=(20, 100),
        )

    def repeated(self, repetitions: int) -> "Effort":
        """The same with another number of repetitions."""
        return replace(self, repetitions=repetitions)
