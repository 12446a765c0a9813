"""Two sections of the model card: what it must reach, what limits what falls short."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from advisor.training.evaluate.markdown import percent, share, table
from advisor.training.evaluate.set_up import (
    AS_IT_RAN,
    OTHER_PRECISION,
    OTHER_SERIES,
    OTHER_WORKLOADS,
)
from advisor.training.evaluate.splits import SET_UP_RUNS, WHOLE_SET_UPS

if TYPE_CHECKING:
    from advisor.training.evaluate.run import Evaluation

TARGETS = (
    ("pair", "mape", 0.08, 0.06),
    ("pair", "median_ape", 0.05, 0.04),
    ("gpu", "mape", 0.12, 0.095),
    ("gpu", "median_ape", 0.08, 0.065),
    ("family", "mape", 0.14, 0.10),
    ("family", "median_ape", 0.09, 0.07),
    ("model", "mape", 0.22, 0.16),
    ("model", "median_ape", 0.08, 0.06),
    ("source", "mape", 0.25, 0.18),
    ("source", "median_ape", 0.15, 0.10),
    ("setup_one_run", "mape", 0.12, 0.12),
    ("setup_one_run", "median_ape", 0.08, 0.08),
    ("setup_one_run_series", "mape", 0.12, 0.12),
    ("setup_one_run_series", "median_ape", 0.08, 0.08),
    ("multi_8", "mape", 0.23, 0.17),
    ("cpu", "mape", 0.12, 0.08),
    ("synergy_prior", "mape", 0.12, 0.08),
    ("synergy_one_point", "mape", 0.08, 0.05),
    ("real_synthetic", "mape", 0.055, 0.04),
)
"""Split, figure, what it must reach, what it should: set before the work began. Of runs
of a set-up the figures are those of the same workload, whatever else differs; those of
what ran as it is predicted stand beside them."""

REGRET_TARGETS = (("advisor_pair", 0.03, 0.01), ("advisor", 0.06, 0.03))
"""The same for the extra $ of a choice among offers of at least 40 GB."""

CARD_TARGETS = (("RTX 4090", 0.08, 0.08), ("RTX 5090", 0.09, 0.09))
"""The same for the mean error of a card that was held out."""

COVERAGE = (0.85, 0.95)
"""What 90 % intervals must hold of a set-up's rows after its runs."""

MANY_ROWS = 10
"""Evaluated rows of a card whose offset is compared with those of others."""

_SHORT = "**falls short**"

_PARTS = {
    AS_IT_RAN: "workload, precision and series as they ran",
    OTHER_PRECISION: "in another precision than it ran",
    OTHER_SERIES: "in another series than it ran",
    OTHER_WORKLOADS: "other workloads: no part of the target",
}


def targets_section(evaluation: Evaluation) -> str:
    """Return the section of the targets."""
    by_gpu, splits = evaluation.by_gpu.get("gpu", {}), evaluation.splits
    rows = [
        (split, figure, must, aim, splits[split][figure])
        for split, figure, must, aim in TARGETS
        if split in splits
    ]
    rows += [
        (split, f"{figure}, as it ran", must, aim, splits[split][AS_IT_RAN][figure])
        for split, figure, must, aim in TARGETS
        if AS_IT_RAN in splits.get(split, {})
    ]
    rows += [
        ("gpu", f"{card}: mape", must, aim, by_gpu[card]["mape"])
        for card, must, aim in CARD_TARGETS
        if card in by_gpu
    ]
    rows += [
        ("offers of 40 GB", policy, must, aim, policies[policy]["mean_extra"])
        for policies in [evaluation.regret.get("40gb", {})]
        for policy, must, aim in REGRET_TARGETS
        if policy in policies
    ]
    lines = [
        (split, which, *map(percent, (must, aim, own)), "" if own <= must else _SHORT)
        for split, which, must, aim, own in rows
    ]
    lines += _set_up_targets(evaluation)
    return f"""## Targets, and what falls short

{table(("held out", "figure", "must", "aim", "reached", ""), lines)}"""


def _set_up_targets(evaluation: Evaluation) -> Iterator[tuple[str, ...]]:
    """Yield the lines of what holds after runs: coverage, and beside plain scaling."""
    low, high = COVERAGE
    wanted = f"{100 * low:.0f} to {100 * high:.0f} %"
    for split in SET_UP_RUNS:
        if split not in evaluation.splits:
            continue
        own = evaluation.splits[split]
        covers, plain = own["coverage90"], evaluation.baselines[split]["plain_scaling"]
        yield (
            *(split, "coverage90", wanted, "90.0 %", percent(covers)),
            "" if low <= covers <= high else _SHORT,
        )
        yield (
            *(split, "mape, of plain scaling", percent(plain["mape"]), ""),
            *(percent(own["mape"]), "" if own["mape"] <= plain["mape"] else _SHORT),
        )


def limits_section(evaluation: Evaluation) -> str:
    """Return the section of what the errors of set-ups and single cards are made of."""
    parts = [one for split in SET_UP_RUNS for one in _parts(evaluation, split)]
    sources = [
        (split, source, *_short(own))
        for split in ("source", "setup_one_run", "setup_one_run_series")
        for source, own in evaluation.by_source.get(split, {}).items()
    ]
    works = [
        (workload, *_short(own))
        for workload, own in evaluation.by_workload.get("source", {}).items()
    ]
    levels = [
        (split, *_short(own), *_short(own["level_known"]))
        for split in WHOLE_SET_UPS
        for own in [evaluation.splits.get(split, {})]
        if "level_known" in own
    ]
    cards = [
        (card, source, *_short(own), f"{100 * np.expm1(own['offset']):+.1f} %")
        for card, *_ in CARD_TARGETS
        for source, own in evaluation.offsets.get(card, {}).items()
    ]
    figures = ("MAPE", "median", "rows")
    known = tuple(f"{name}, level known" for name in figures)
    scaled = tuple(f"{name}, plain scaling" for name in figures[:2])
    return f"""## What limits what falls short

After runs of a set-up that was held out. The target is for all rows of the workload that
ran; they are apart here by what they share with a run. A profile has one precision, and a
user one container: what is predicted as it ran is what a user meets.

{table(("held out", "which rows", *figures, *scaled, "90 % interval"), parts)}

By source, the same workload:

{table(("held out", "source", *figures), sources)}

By workload, the source held out and nothing of it known:

{table(("workload", *figures), works)}

Were the level of a set-up known without error, as the mean over all its other rows of the
same workload, series and precision tells it, the ratios of its cards would still err: in
a series (a source) of which no row is known, by what the last columns say. To learn the
level better takes nothing of that away, and a single run adds the error of its own card.

{table(("held out", *figures, *known), levels)}

Cards that must err less, all of their rows held out. Positive: predicted too fast.

{table(("GPU", "source", *figures, "mean offset"), cards)}

{_spread_of_offsets(evaluation)}"""


def _parts(evaluation: Evaluation, split: str) -> Iterator[tuple[object, ...]]:
    """Yield the lines of one split: all of the same workload, and part by part."""
    own = evaluation.splits.get(split)
    if own is None:
        return
    plain = evaluation.baselines[split]["plain_scaling"]
    named = [("the same workload", own, plain)]
    named += [(words, own[p], plain[p]) for p, words in _PARTS.items() if p in own]
    for words, figures, scaled in named:
        if figures["n"]:
            yield (
                *(split, words, *_short(figures)),
                *(percent(scaled["mape"]), percent(scaled["median_ape"])),
                share(figures["coverage90"]),
            )


def _spread_of_offsets(evaluation: Evaluation) -> str:
    """Say how far cards are off as a whole, and the named ones among them."""
    off = {
        card: float(np.average([s["offset"] for s in of], weights=[s["n"] for s in of]))
        for card, sources in evaluation.offsets.items()
        for of in [list(sources.values())]
        if sum(s["n"] for s in of) >= MANY_ROWS
    }
    if len(off) <= 1:
        return "Too few cards have rows enough to compare their offsets."
    spread = float(np.std(list(off.values()), ddof=1))
    named = [
        f"the {card} is off by {off[card] / spread:+.1f}"
        for card, *_ in CARD_TARGETS
        if card in off
    ]
    by_gpu = evaluation.by_gpu.get("pair", {})
    seen = [
        f"the {card} errs by {percent(by_gpu[card]['mape'])}"
        for card, *_ in CARD_TARGETS
        if card in by_gpu
    ]
    return f"""What the rows of one card are off by alike has a log-sd of {spread:.3f}
over {len(off)} cards with {MANY_ROWS} evaluated rows or more. It is one draw for each
card, which its features do not tell and rows of its own do. In these log-sd
{", ".join(named) or "no card above is told"}; with other workloads of a card known
(split `pair`) {", ".join(seen) or "nothing is told"}."""


def _short(own: Mapping[str, Any]) -> tuple[str, str, str]:
    return percent(own["mape"]), percent(own["median_ape"]), f"{own['n']:,}"
