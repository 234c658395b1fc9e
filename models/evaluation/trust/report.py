"""Tables of the outcomes: what the verdict approved, and how the results are by their truth."""

from collections.abc import Callable, Sequence

import numpy as np

from darkroom.domain.approval_rate import upper_bound
from models.evaluation.trust.cases import CUT_OUT_PRESETS
from models.evaluation.trust.outcome import BLOCK, CLOSE, GOOD_IOU, HARM, LEAST_IOU, MOST_LEFT, Outcome

#: How the table of restorations counts.
RULE = (
    f"Worse than the input: the mean CIEDE2000 grows, to more than {CLOSE:g}. "
    f"Locally worse: that of a block of {BLOCK} px grows by more than {HARM:g}."
)

Group = Callable[[Outcome], str]


def report(outcomes: Sequence[Outcome]) -> str:
    """All tables, in Markdown."""
    return "\n\n".join([verdicts(outcomes), restorations(outcomes), damages(outcomes), cut_outs(outcomes)])


def verdicts(outcomes: Sequence[Outcome]) -> str:
    """For each preset: approvals, the wrong ones among them with the bound, and the good results that were approved."""
    head = ["preset", "results", "approved", "of these bad", "share", "95 % bound", "good", "of these approved"]
    return _table(head, [[name, *_verdict(group)] for name, group in _groups(outcomes, lambda it: it.preset)])


def _verdict(group: Sequence[Outcome]) -> list[str]:
    approved, good = [it for it in group if it.approved], [it for it in group if it.good]
    bad = sum(not it.acceptable for it in approved)
    return [
        str(len(group)),
        str(len(approved)),
        str(bad),
        _percent(bad, len(approved)),
        f"{upper_bound(bad, len(approved)):.1%}",
        str(len(good)),
        _percent(sum(it.approved for it in good), len(good)),
    ]


def restorations(outcomes: Sequence[Outcome]) -> str:
    """For each preset and fault: errors, harm, and how many of the harmed results were approved."""
    restored = [it for it in outcomes if it.iou is None]
    head = [
        "preset",
        "fault",
        "n",
        "ΔE before",
        "ΔE after",
        "worse than the input",
        "locally worse",
        "approved of these",
    ]
    rows = [
        [*name.split("|"), *_restoration(group)]
        for name, group in _groups(restored, lambda it: f"{it.preset}|{it.fault}")
    ]
    return f"{_table(head, rows)}\n\n{RULE}"


def _restoration(group: Sequence[Outcome]) -> list[str]:
    harmed = [it for it in group if it.worst_block > HARM]
    worse = sum(it.after > max(it.before, CLOSE) for it in group)
    return [
        str(len(group)),
        f"{np.mean([it.before for it in group]):.2f}",
        f"{np.mean([it.after for it in group]):.2f}",
        _percent(worse, len(group)),
        _percent(len(harmed), len(group)),
        str(sum(it.approved for it in harmed)),
    ]


def damages(outcomes: Sequence[Outcome]) -> str:
    """For each preset: the share of the damage's contrast that is left."""
    with_damage = [it for it in outcomes if it.left is not None]
    head = ["preset", "damaged", "contrast left", f"more than {MOST_LEFT:.0%} left", "approved of these"]
    return _table(head, [[name, *_damage(group)] for name, group in _groups(with_damage, lambda it: it.preset)])


def _damage(group: Sequence[Outcome]) -> list[str]:
    kept = [it for it in group if (it.left or 0.0) > MOST_LEFT]
    mean = np.mean([it.left or 0.0 for it in group])
    return [str(len(group)), f"{mean:.2f}", _percent(len(kept), len(group)), str(sum(it.approved for it in kept))]


def cut_outs(outcomes: Sequence[Outcome]) -> str:
    """For each preset that cuts out: the overlap with the true matte, of what was approved and of the rest."""
    head = [
        "preset",
        "n",
        "IoU",
        "of the approved",
        "of the others",
        f"approved below {LEAST_IOU:g}",
        f"approved of {GOOD_IOU:g} and more",
    ]
    chosen = [it for it in outcomes if it.preset in CUT_OUT_PRESETS]
    return _table(head, [[name, *_cut_out(group)] for name, group in _groups(chosen, lambda it: it.preset)])


def _cut_out(group: Sequence[Outcome]) -> list[str]:
    approved = [it for it in group if it.approved]
    good = [it for it in group if it.good]
    return [
        str(len(group)),
        _mean_iou(group),
        _mean_iou(approved),
        _mean_iou([it for it in group if not it.approved]),
        _percent(sum(not it.acceptable for it in approved), len(approved)),
        _percent(sum(it.approved for it in good), len(good)),
    ]


def _mean_iou(group: Sequence[Outcome]) -> str:
    return f"{np.mean([it.iou or 0.0 for it in group]):.3f}" if group else "–"


def _groups(outcomes: Sequence[Outcome], name_of: Group) -> list[tuple[str, list[Outcome]]]:
    """The outcomes by name, in the order of their first appearance."""
    groups: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault(name_of(outcome), []).append(outcome)
    return list(groups.items())


def _percent(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "–"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *rows))
