"""Draws pictures per second over the limit of instances, and names the bottleneck. The output is an SVG."""

import math
from collections.abc import Sequence

from infra.simulation.path import Run

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 760, 420, 70, 60, 40, 150
COLOURS = ("#1f6f8b", "#c8553d")
Series = tuple[str, Sequence[tuple[int, Run]]]


def draw(series: Sequence[Series]) -> str:
    """The picture as SVG. Every series is a line over the same limits of instances."""
    rates = [run.pictures / run.seconds for _, line in series for _, run in line]
    limits = [limit for limit, _ in series[0][1]]
    chart = _Chart(low=min(limits), high=max(limits), top=_round_up(max(rates)))
    parts = [*chart.frame(limits)]
    for colour, (title, line) in zip(COLOURS, series, strict=True):
        parts += chart.line(title, line, colour)
    inside = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="12">\n<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>\n{inside}\n</svg>\n'
    )


def _round_up(value: float) -> float:
    step = math.pow(10, math.floor(math.log10(value)))
    return math.ceil(value / step) * step


class _Chart:
    def __init__(self, *, low: int, high: int, top: float) -> None:
        self.low, self.high, self.top = low, high, top

    def x(self, limit: float) -> float:
        share = math.log(limit / self.low) / math.log(self.high / self.low)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(self, rate: float) -> float:
        return HEIGHT - BOTTOM - rate / self.top * (HEIGHT - BOTTOM - TOP)

    def frame(self, limits: Sequence[int]) -> list[str]:
        right, floor = WIDTH - RIGHT, HEIGHT - BOTTOM
        parts = [f'<text x="{LEFT}" y="22" font-size="14">Product pictures of 1 MP per second</text>']
        for i in range(6):
            rate = self.top * i / 5
            parts.append(f'<path d="M{LEFT} {self.y(rate):.1f}H{right}" stroke="#dddddd"/>')
            parts.append(f'<text x="{LEFT - 8}" y="{self.y(rate) + 4:.1f}" text-anchor="end">{rate:g}</text>')
        for limit in limits:
            parts.append(f'<text x="{self.x(limit):.1f}" y="{floor + 18}" text-anchor="middle">{limit}</text>')
        parts.append(
            f'<text x="{(LEFT + right) / 2}" y="{floor + 42}" text-anchor="middle">most instances of each stage</text>'
        )
        return parts

    def line(self, title: str, points: Sequence[tuple[int, Run]], colour: str) -> list[str]:
        places = [(self.x(limit), self.y(run.pictures / run.seconds), run.bottleneck) for limit, run in points]
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y, _ in places)
        parts = [f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>']
        labelled = ""
        for x, y, bottleneck in places:
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>')
            if bottleneck != labelled:
                parts.append(f'<text x="{x + 6:.1f}" y="{y + 16:.1f}" fill="{colour}">{bottleneck}</text>')
            labelled = bottleneck
        x, y, _ = places[-1]
        parts.append(f'<text x="{x + 10:.1f}" y="{y - 4:.1f}" fill="{colour}" font-weight="bold">{title}</text>')
        return parts
