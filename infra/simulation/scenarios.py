"""The scenarios that docs/cost.md shows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from darkroom.adapters.gcp.firestore_indexes import SHARDS, WRITES_PER_SHARD
from darkroom.costs.estimate import Assumptions, Estimate, Size, Work, estimate, stages_of, steps_of
from darkroom.domain.presets import PRESET_RULES
from darkroom.inference.registry import Registry
from darkroom.runtime.settings import DEFAULT_REGISTRY
from infra.simulation.path import Conditions, Run, play

#: Pictures that travel together where there are millions.
PARCEL = {50_000: 1, 5_000_000: 100}
MEGAPIXELS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A number of pictures under a limit of instances."""

    title: str
    pictures: int
    #: Most instances of every stage.
    instances: int
    #: Pictures that arrive in a second.
    arrivals: float
    #: Shards of the indexes over a time.
    shards: int = SHARDS


CASES: tuple[Case, ...] = (
    Case(title="as deployed", pictures=50_000, instances=100, arrivals=500),
    Case(title="300 instances a stage", pictures=50_000, instances=300, arrivals=500),
    Case(title="1000 instances a stage", pictures=50_000, instances=1000, arrivals=500),
    Case(title="as deployed", pictures=5_000_000, instances=100, arrivals=500),
    Case(title="300 instances a stage", pictures=5_000_000, instances=300, arrivals=500),
    Case(title="1000 instances a stage", pictures=5_000_000, instances=1000, arrivals=500),
    Case(title="1000, without shards", pictures=5_000_000, instances=1000, arrivals=500, shards=1),
    Case(title="1000, twice the arrivals", pictures=5_000_000, instances=1000, arrivals=1000),
)


def product_steps() -> tuple[Work, ...]:
    """The steps of a product picture, as the estimate has them."""
    registry = Registry.load(DEFAULT_REGISTRY)
    return steps_of(stages_of(PRESET_RULES["product"]), MEGAPIXELS, registry, Size())


def played(case: Case, steps: Sequence[Work], parcel: int | None = None) -> Run:
    """Simulate the case; `assess` runs twice and has one pool of instances."""
    path: list[tuple[str, float]] = [(work.stage, work.seconds) for work in steps]
    most: dict[str, int] = dict.fromkeys([name for name, _ in path], case.instances)
    at = Conditions(arrivals=case.arrivals, most_writes=case.shards * WRITES_PER_SHARD)
    return play(case.pictures, path, most, at=at, parcel=parcel or PARCEL[case.pictures])


def bill(case: Case, steps: tuple[Work, ...]) -> Estimate:
    """What the case costs; cold starts are less than a hundredth of it."""
    return estimate(case.pictures, MEGAPIXELS, steps, size=Size(), assumed=Assumptions())


def ladder(steps: Sequence[Work], pictures: int, rungs: Sequence[int]) -> Iterator[tuple[int, Run]]:
    """How so many pictures fare under growing limits of instances."""
    for instances in rungs:
        case = Case(title="", pictures=pictures, instances=instances, arrivals=500)
        yield instances, played(case, steps, parcel=pictures // 10_000)
