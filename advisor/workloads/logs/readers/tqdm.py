"""Bars of tqdm: Lightning, accelerate, diffusers, kohya, and loops of one's own."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from advisor.workloads.logs.bars import Bar, Beside, Reading, bars_in, span_of
from advisor.workloads.logs.counting import EvidenceError, Span, count
from advisor.workloads.logs.found import Asked, Found, Stated
from advisor.workloads.logs.headers import Header, header_of
from advisor.workloads.logs.names import counts_epochs, tells_loss
from advisor.workloads.logs.text import Line
from advisor.workloads.logs.times import NUMBER

_EPOCHS_AT_MOST = 1000  # of a training: a bar called "Epoch" up to there may count them
_EVALUATED = re.compile(rf"['\"]eval_runtime['\"]:\s*['\"]?({NUMBER})")
_MANY_STEPS = 5  # between two evaluations, at the least
_EVALUATES = re.compile(r"\*+ Running (?:Evaluation|Prediction|Test)|\*+ eval metrics")
_TELLS_EVALUATION = re.compile(r"\b(?:eval|test|predict)_(?:runtime|samples_per_second)")
_PRINTED_BATCH = re.compile(r"\b[Bb]atch[ _-]size\s*[:=]\s*(\d+)\s*$")
_CONSUMED = re.compile(rf"consumed_samples=({NUMBER}).*")
_GLOBAL_STEP = re.compile(rf"global_step=({NUMBER})")
_LEAST_SHARE_S = 10.0  # a bar shows whole seconds: below, they are off by more than 10 %


@dataclass(frozen=True, slots=True)
class Chosen:
    """The bars that count a training.

    Attributes
    ----------
    bars : of one name and total, such as one an epoch
    others : bars of something else that a training waits for
    training : how it is known that they count one
    assured : whether the log shows it
    """

    bars: Sequence[Bar]
    others: Sequence[Bar]
    training: str
    assured: bool


def read(lines: Sequence[Line], _: Asked) -> Found | None:
    """Read a log of bars."""
    bars = bars_in(lines)
    if not bars:
        return None
    header = header_of(lines)
    chosen = choose(bars, lines, header)
    spans, one_run = _spans(chosen, header, evaluations(lines))
    counted = count(spans)
    if counted is None:
        message = f"the bar {_name(chosen.bars[0])} shows no time in which steps passed"
        raise EvidenceError(message)
    if counted.elapsed_s < _LEAST_SHARE_S:
        message = (
            f"the bar {_name(chosen.bars[0])} ran for {counted.elapsed_s:.2g} s and "
            "shows whole seconds: too short for a rate"
        )
        raise EvidenceError(message)
    last, consumed = chosen.bars[-1].last, _consumed(lines)
    unfinished = ""
    if not chosen.bars[-1].is_whole:
        unfinished = f"the bar ends at {last.number:,.0f} of {last.total:,.0f}"
    resumed = ("it goes on with an earlier run, whose steps do not count",)
    return Found(
        reader="tqdm",
        unit=last.counts,
        counted=counted,
        training=chosen.training,
        assured=chosen.assured,
        stated=consumed or header.stated or _printed_batch(lines, last.counts),
        unfinished=unfinished,
        remarks=resumed if header.resumes and one_run else (),
    )


def choose(
    bars: Sequence[Bar],
    lines: Sequence[Line],
    header: Header,
    total: float | None = None,
) -> Chosen:
    """Return the bars that count a training.

    Parameters
    ----------
    total : steps that the training is known to have; None: unknown

    Raises
    ------
    EvidenceError
        if none does, or nothing says which does
    """
    losses = _loss_positions(lines)
    trainings, evaluated = _announced(lines)
    groups = _groups(bars)
    whys: dict[int, str] = {}
    weak: list[int] = []
    steps = total if total is not None else header.steps
    for at, group in enumerate(groups):
        first = group[0].first
        if first.kind == "unnamed" and _latest(evaluated, first) > _latest(
            trainings, first
        ):
            continue  # an evaluation was announced before it
        why = _shown_by(group, losses, steps)
        if why:
            whys[at] = why
        elif first.kind == "unnamed" and group[0].last.counts == "steps":
            weak.append(at)
    named = [at for at in whys if not _may_count_epochs(groups[at], len(groups))]
    if named:
        best = max(named, key=lambda at: _steps_of(groups[at]))
        return Chosen(groups[best], _others(groups, best, whys), whys[best], True)
    if whys:
        bar = _name(groups[next(iter(whys))][0])
        message = f"the bar {bar} may count epochs: nothing says that it counts steps"
        raise EvidenceError(message)
    return _by_word(groups, weak, lines, losses)


def _by_word(
    groups: Sequence[Sequence[Bar]],
    weak: Sequence[int],
    lines: Sequence[Line],
    losses: Sequence[int],
) -> Chosen:
    """Return the bar that is of a training if the user says so, there being one alone.

    Raises
    ------
    EvidenceError
        if there is none, or nothing says which
    """
    if len(weak) > 1:
        weak = [at for at in weak if _goes_on(groups, at, weak)] or weak
    tells_other = any(_TELLS_EVALUATION.search(line.text) for line in lines)
    if len(weak) == 1 and (losses or not tells_other):
        (at,) = weak
        why, assured = "by your word: the bar has no name and no loss", False
        if losses and len(groups[at]) > 1:
            why, assured = "it is drawn for each epoch, and losses are printed", True
        return Chosen(groups[at], _others(groups, at, ()), why, assured)
    names = ", ".join(dict.fromkeys(_name(group[0]) for group in groups))
    if len(weak) > 1:
        raise EvidenceError(
            f"it is unclear which bar is the training's: there is {names}"
        )
    raise EvidenceError(f"no bar is of a training: there is {names}")


def _announced(lines: Sequence[Line]) -> tuple[list[int], list[int]]:
    """Return where a training is announced, and where an evaluation is."""
    trainings, evaluated = list[int](), list[int]()
    for at, line in enumerate(lines):
        if "Running training" in line.text or "running training" in line.text:
            trainings.append(at)
        elif "**" in line.text and _EVALUATES.search(line.text):
            evaluated.append(at)
    return trainings, evaluated


def _latest(positions: Sequence[int], reading: Reading) -> int:
    """Return the last of positions before a bar's first reading, -1 if there is none."""
    at = bisect_left(positions, reading.position)
    return positions[at - 1] if at else -1


def evaluations(lines: Sequence[Line]) -> Mapping[int, float]:
    """Return position of a line -> seconds of the evaluation that it reports."""
    return {
        at: float(match[1])
        for at, line in enumerate(lines)
        if "eval_runtime" in line.text and (match := _EVALUATED.search(line.text))
    }


def _spans(
    chosen: Chosen, header: Header, evaluated: Mapping[int, float]
) -> tuple[Sequence[Span], bool]:
    """Return the bars as they are counted, and whether one bar has the whole run."""
    beside = Beside(chosen.others, evaluated)
    one_run = len(chosen.bars) == 1
    start = header.start if one_run else None
    first = chosen.bars[0].first
    if start is not None and first.number and start > first.number:
        start = None  # it is said of another bar
    return [span_of(bar, beside, start) for bar in chosen.bars], one_run


def _groups(bars: Sequence[Bar]) -> list[list[Bar]]:
    """Return bars of steps or samples by name and total, those of other things too."""
    groups: dict[tuple[str, float | None, str], list[Bar]] = {}
    for bar in bars:
        one = bar.first
        word = re.sub(r"[\W\d_]+", " ", one.name).strip()
        key = (word if one.kind != "unnamed" else "", one.total, one.counts)
        groups.setdefault(key, []).append(bar)
    return list(groups.values())


def _shown_by(group: Sequence[Bar], losses: Sequence[int], steps: float | None) -> str:
    """Return what shows that bars count the steps of a training; empty: nothing."""
    first, counts = group[0].first, group[-1].last.counts
    why = ""
    if first.kind == "other" or not counts:
        why = ""
    elif first.kind == "training":
        why = f"the bar is called {_name(group[0])}"
    elif any(bar.tells_loss for bar in group):
        why = "the bar shows a loss"
    elif counts == "steps" and first.total is not None and first.total == steps:
        why = f"the bar has the {steps:,.0f} steps of the training that is announced"
    elif counts == "steps" and any(_spans_loss(bar, losses) for bar in group):
        why = "losses are printed while the bar runs"
    return why


def _spans_loss(bar: Bar, losses: Sequence[int]) -> bool:
    """Say whether a loss is printed between the first and the last reading of a bar."""
    at = bisect_left(losses, bar.first.position)
    return at < len(losses) and losses[at] <= bar.last.position > bar.first.position


def _may_count_epochs(group: Sequence[Bar], groups: int) -> bool:
    """Say whether bars may count epochs and not steps."""
    one = group[0].first
    if not counts_epochs(one.name):
        return False
    if "epochs" in one.name.lower():
        return True
    named = one.unit.strip("s/") not in {"", "it"}
    many = one.total is None or one.total > _EPOCHS_AT_MOST
    return not (named or many or (len(group) > 1 and groups == 1) or len(group) > 2)


def _goes_on(groups: Sequence[Sequence[Bar]], at: int, others: Sequence[int]) -> bool:
    """Say whether a bar goes on for many steps after each of the others has run.

    That is a training with its evaluations; one that goes on by a step is of epochs.
    """
    if len(groups[at]) != 1:
        return False
    (bar,) = groups[at]
    inner = [one for other in others if other != at for one in groups[other]]
    within = [one for one in inner if one.first.order > bar.first.order]
    after = [one for one in within if one.first.order > bar.last.order]
    many = bar.last.number - bar.first.number > _MANY_STEPS * len(inner)
    return len(within) == len(inner) > len(after) <= 1 and many


def _others(
    groups: Sequence[Sequence[Bar]], best: int, whys: Collection[int]
) -> list[Bar]:
    """Return the bars of something else: not those that count the training again."""
    return [
        bar
        for at, group in enumerate(groups)
        if at != best and at not in whys
        for bar in group
    ]


def _steps_of(group: Sequence[Bar]) -> float:
    return sum(bar.last.number for bar in group)


def _loss_positions(lines: Sequence[Line]) -> list[int]:
    """Return where a loss stands beside the bars, not in one."""
    found = []
    for at, line in enumerate(lines):
        text = line.text
        if "oss" not in text:
            continue
        if re.search(r"\[\d*:?\d+:\d\d", text):  # a bar; a dictionary may follow it
            text = text.rpartition("]")[2]
        if tells_loss(text):
            found.append(at)
    return found


def _consumed(lines: Sequence[Line]) -> Stated | None:
    """Return the batch that NeMo's bar shows: samples consumed over steps."""
    seen = []
    for line in lines:
        if "consumed_samples=" in line.text:
            samples = _CONSUMED.search(line.text)
            step = _GLOBAL_STEP.search(line.text)
            if samples and step:
                seen.append((float(step[1]), float(samples[1]), line))
    if len(seen) < 2 or seen[-1][0] <= seen[0][0]:
        return None
    per_step = (seen[-1][1] - seen[0][1]) / (seen[-1][0] - seen[0][0])
    says = f"{per_step:,.0f} per step, by the samples consumed"
    return Stated(says, seen[-1][2], per_step=per_step)


def _printed_batch(lines: Sequence[Line], counts: str) -> Stated | None:
    """Return the batch that a script prints, where the rate does not hang on it.

    Whether it is of a device or of all nobody says: steps are not multiplied by it.
    """
    for line in lines if counts == "samples" else ():
        if "atch" in line.text and (match := _PRINTED_BATCH.search(line.text)):
            return Stated(f"{match[1]} per device", line, per_device=float(match[1]))
    return None


def _name(bar: Bar) -> str:
    first = bar.first
    if first.name:
        return f"{first.name!r}"
    return "one without a name" + (f" of {first.total:,.0f}" if first.total else "")
