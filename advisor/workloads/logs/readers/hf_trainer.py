"""The Hugging Face Trainer of all ages, and TRL, by the summary at a training's end.

Sources: `transformers` ``trainer_utils.speed_metrics`` and ``trainer_pt_utils``. Before
4.6 there is no ``train_steps_per_second``, and ``train_samples_per_second`` is steps over
time: ``speed_metrics("train", start, max_steps)``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from advisor.workloads.logs.bars import (
    Bar,
    Beside,
    bars_in,
    began_at_zero,
    span_of,
)
from advisor.workloads.logs.counting import Counted, EvidenceError, count
from advisor.workloads.logs.found import Asked, Check, Found, Stated
from advisor.workloads.logs.headers import Header, header_of
from advisor.workloads.logs.readers.tqdm import choose, evaluations
from advisor.workloads.logs.text import Line
from advisor.workloads.logs.times import seconds

_FIELD = re.compile(
    r"\b(train_runtime|train_samples_per_second|train_steps_per_second|epoch)['\"]?"
    r"\s*[:=]\s*['\"]?([\d.:]+(?:e[+-]?\d+)?(?: days?, [\d.:]+)?)"
)
_NEAR = 12  # lines around the run time in which the other figures of a table stand
_LEAST_BAR_S = 10.0  # a bar shows whole seconds
_WHOLE = 0.02  # rounded figures are that close


@dataclass(frozen=True, slots=True)
class _Summary:
    """What the Trainer says at the end.

    Attributes
    ----------
    runtime_s : seconds, evaluations included
    samples_per_s : of all steps, those of an earlier run too; None where it is old
    steps_per_s : of all steps
    epochs : that were trained; None: not said
    line, position : of the run time
    """

    runtime_s: float
    samples_per_s: float | None
    steps_per_s: float | None
    epochs: float | None
    line: Line
    position: int


def read(lines: Sequence[Line], asked: Asked) -> Found | None:
    """Read a log that a Trainer ended."""
    summaries = _summaries(lines)
    if not summaries:
        return None
    summary = summaries[-1]
    # Of several trainings in one log the last counts; its table repeats its line.
    earlier = [s for s in summaries if s.runtime_s != summary.runtime_s]
    mine = lines[earlier[-1].position + 1 :] if earlier else lines
    header = header_of(mine)
    bar, others = _bar(mine, header, summary)
    total = _total_steps(summary, bar, header)
    start, why = _start(bar, header)
    if total <= start:
        raise EvidenceError("it trained no step: it had already finished")
    apart = evaluations(mine[: mine.index(summary.line) + 1])
    evaluated_s = min(sum(apart.values()), 0.99 * summary.runtime_s)
    gross = Counted(
        total - start,
        summary.runtime_s - evaluated_s,
        bar.first.line if bar else summary.line,
        summary.line,
        "",
        f"{len(apart)} evaluations that took {evaluated_s:,.0f} s" if apart else "",
    )
    counted = _without_warm_up(gross, bar, Beside(others, apart), start)
    stated = _stated(summary, total, header, asked)
    # All samples that it trained on: the last batch of an epoch may be smaller.
    each = 1.0
    if stated and not header.stated and not why and summary.samples_per_s:
        each = summary.samples_per_s * summary.runtime_s / gross.number
    # Bar and summary have the warm-up in them, and are compared without it.
    factor = each * counted.rate / gross.rate
    return Found(
        reader="Hugging Face Trainer",
        unit="steps" if each == 1.0 else "samples",
        counted=replace(counted, number=each * counted.number),
        training="the Trainer's own summary states a training's run time",
        stated=stated,
        checks=tuple(
            replace(check, rate=factor * check.rate)
            for check in _checks(bar, start, evaluated_s, summary, resumed=bool(why))
        ),
        remarks=(why,) if why else (),
    )


def _without_warm_up(
    gross: Counted, bar: Bar | None, beside: Beside, start: float
) -> Counted:
    """Return what the bar counts without its warm-up, if it shows one."""
    if bar is None:
        return gross
    try:
        counted = count([span_of(bar, beside, start)])
    except EvidenceError:
        return gross
    return counted if counted.warm_up and counted.elapsed_s >= _LEAST_BAR_S else gross


def _summaries(lines: Sequence[Line]) -> list[_Summary]:
    found = []
    for at, line in enumerate(lines):
        if "train_runtime" not in line.text:
            continue
        fields: dict[str, str] = {}
        near = [line]
        if "train_samples_per_second" not in line.text:
            near += [*lines[max(at - _NEAR, 0) : at], *lines[at + 1 : at + _NEAR]]
        for one in near:
            if one is not line and "train_runtime" in one.text:
                continue
            for key, value in _FIELD.findall(one.text):
                fields.setdefault(key, value)
        runtime = seconds(fields["train_runtime"]) if "train_runtime" in fields else None
        samples = fields.get("train_samples_per_second")
        if not runtime or samples is None:
            continue
        steps = fields.get("train_steps_per_second")
        old = steps is None
        epochs = fields.get("epoch")
        found.append(
            _Summary(
                runtime,
                None if old else float(samples),
                float(samples if steps is None else steps),
                float(epochs) if epochs else None,
                line,
                at,
            )
        )
    return found


def _bar(
    lines: Sequence[Line], header: Header, summary: _Summary
) -> tuple[Bar | None, Sequence[Bar]]:
    """Return the bar of the training, if the log has it, and those of other things."""
    bars = bars_in(lines)
    if not bars:
        return None, ()
    total = None
    if summary.steps_per_s:
        about = summary.steps_per_s * summary.runtime_s
        near = [b for b in bars if b.last.total and _close(b.last.total, about)]
        total = near[0].last.total if near else None
    try:
        chosen = choose(bars, lines, header, total)
    except EvidenceError:
        return None, ()
    fitting = [b for b in chosen.bars if total is None or b.last.total == total]
    return max(fitting or chosen.bars, key=lambda b: b.last.number), chosen.others


def _total_steps(summary: _Summary, bar: Bar | None, header: Header) -> float:
    """Return the steps of the whole training: the summary's, exact by bar or header."""
    about = (summary.steps_per_s or 0.0) * summary.runtime_s
    if bar is not None and bar.last.total is not None:
        return bar.last.number
    if header.steps is not None and (not about or _close(header.steps, about)):
        return header.steps
    return about


def _start(bar: Bar | None, header: Header) -> tuple[float, str]:
    """Return the step from which this run counts, and how that is known if not zero.

    Raises
    ------
    EvidenceError
        if it goes on with an earlier run, and nothing says from which step
    """
    if header.start is not None:
        return header.start, f"it goes on from step {header.start:,.0f}"
    if bar is not None and len(bar.readings) > 1 and (begun := _begun_at(bar)) > 0.0:
        return begun, f"the bar begins at step {begun:,.0f}"
    if bar is not None and not began_at_zero(bar):
        message = (
            f"the bar has more steps than its rate makes ({bar.first.line.where}): it "
            "goes on with an earlier run, and nothing says from which step"
        )
        raise EvidenceError(message)
    if header.resumes is not None:
        message = (
            f"the run goes on with an earlier one ({header.resumes.where}), and nothing "
            "says from which step"
        )
        raise EvidenceError(message)
    return 0.0, ""


def _begun_at(bar: Bar) -> float:
    """Return from which step a bar counts the time; 0 where it began at zero."""
    points = span_of(bar, Beside((), {})).points
    if len(points) < 3:
        return 0.0
    usual = (points[-1].number - points[1].number) / (len(points) - 2)
    if points[0].number == 0.0 and points[1].number > 3.0 * usual:
        points = points[1:]  # it jumps over the steps of the run before
    first, last = points[0], points[-1]
    if first.number == 0.0 or last.at_s <= first.at_s:
        return 0.0
    s_per_step = (last.at_s - first.at_s) / (last.number - first.number)
    begun = first.number - first.at_s / s_per_step
    return float(round(begun)) if begun > 0.1 * first.number else 0.0


def _checks(
    bar: Bar | None, start: float, evaluated_s: float, summary: _Summary, *, resumed: bool
) -> tuple[Check, ...]:
    """Return what else shows the steps per second of this run."""
    found = []
    if bar is not None:
        end = next(r for r in bar.readings if r.number == bar.last.number)
        rest = end.at_s + 0.5 - evaluated_s
        if end.number > start and end.at_s >= _LEAST_BAR_S and rest > 0.0:
            found.append(Check("the bar", (end.number - start) / rest, end.line))
    if summary.steps_per_s and not resumed:
        net_s = summary.runtime_s - evaluated_s
        gross = summary.steps_per_s * summary.runtime_s / net_s
        found.append(Check("the summary", gross, summary.line))
    return tuple(found)


def _stated(
    summary: _Summary, total: float, header: Header, asked: Asked
) -> Stated | None:
    """Return the batch: as the header says, else samples over steps of the summary."""
    if header.stated is not None and (header.stated.per_step or header.stated.per_device):
        return header.stated
    if summary.samples_per_s is None or not summary.steps_per_s or not total:
        return None
    mean = summary.samples_per_s * summary.runtime_s / total
    if _close(mean, summary.samples_per_s / summary.steps_per_s, 0.05):
        whole = round(mean) if _close(round(mean), mean) else mean
        by_user = asked.per_step
        epochs = summary.epochs
        if by_user and epochs and by_user >= whole:
            # Fewer samples per step on average: the last batch of an epoch is smaller.
            samples = mean * total
            if samples / by_user <= total <= samples / by_user + epochs + 1.0:
                whole = by_user
        says = f"{whole:,.4g} per step: samples over steps of the summary"
        return Stated(says, summary.line, per_step=float(whole))
    return None


def _close(one: float, other: float, within: float = _WHOLE) -> bool:
    return abs(one - other) <= within * max(abs(one), abs(other))
