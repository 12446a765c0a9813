"""How fast the GPUs are, and what a training step takes on them."""

from __future__ import annotations

import importlib.util
import re
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from advisor.measure.probe.gpu.allreduce import Group, reduce_apart
from advisor.measure.probe.gpu.apart import run_apart
from advisor.measure.probe.gpu.components import Sizes
from advisor.measure.probe.gpu.recipe import Feed, Recipe, usual_recipes
from advisor.measure.probe.gpu.within import (
    Begun,
    fed_apart,
    parts_apart,
    training_apart,
)
from advisor.measure.probe.lines import Check, Line, Skipped

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from advisor.measure.probe.lines import Result

_STARTS_IN_S = 8.0
"""Within this a process has loaded PyTorch and opened a GPU, once `check_fit` has read
both from the disk."""

_SEARCHES_IN_S = 5.0
"""Within this the largest batch is found."""

_COMPILES_IN_S = 90.0
"""Within this torch.compile has made a net of 12 layers, on a slow core."""

_PATIENCE = 3.0
"""A process that takes so many times as long as foreseen hangs."""

_LEAST_SHARE = 0.3
"""Of the usual time for readings; what would have less is left out."""

_KERNEL = re.compile(r"gpu(\d+)\.kernel")
_SETTINGS = {
    "quick": {"parts": 15.0, "reduce": 2.0, "steps": 5.0},
    "full": {"parts": 60.0, "reduce": 5.0, "steps": 12.0},
}
"""Seconds of readings: of all GPUs, of a group of them, of a recipe."""


class _Part(NamedTuple):
    """One process.

    Attributes
    ----------
    words : what it measures
    name : of what is left out if it fails
    function, arguments : that it runs, without the last argument: seconds of readings
    fixed_s : that it takes besides
    readings_s : usually
    """

    words: str
    name: str
    function: Callable[..., None]
    arguments: tuple[Any, ...]
    fixed_s: float
    readings_s: float


def measure_gpu(
    result: Result,
    mode: str,
    deadline: float,
    progress: Callable[[str, float], object],
    *,
    pictures: Sequence[str] = (),
    cores: int = 1,
) -> None:
    """Measure the GPUs; without one, a training step on the CPU.

    Lines go to ``result.lines`` as they come, what is not measured to
    ``result.skipped``. Nothing is raised but what the user causes (Ctrl-C).

    Parameters
    ----------
    result : of this bench, after `check_fit`: what has run no kernel is not measured
    mode : ``quick`` (under a minute) or ``full``
    deadline : by `time.monotonic`; what is not done then is left out
    progress : is called with what is measured now and the share that is done, 0 to 1
    pictures : paths of JPEG files for the steps that are fed from files
    cores : granted to this process, for the DataLoader's workers
    """
    if importlib.util.find_spec("torch") is None:
        result.skipped.append(Skipped("gpu", "PyTorch is not installed"))
        return
    left_s = deadline - time.monotonic()
    plan, late = _in_time(_plan(result, mode, pictures, cores), left_s)
    fixed_s = sum(part.fixed_s for part in plan)
    readings_s = sum(part.readings_s for part in plan)
    scale = min(1.0, (left_s - fixed_s) / readings_s) if plan else 1.0
    done_s = 0.0
    for part in plan:
        progress(part.words, done_s / (fixed_s + scale * readings_s))
        _run(result, part, scale, deadline)
        done_s += part.fixed_s + scale * part.readings_s
    for part in late:
        result.skipped.append(Skipped(part.name, "there was no time left for it"))


def _plan(result: Result, mode: str, pictures: Sequence[str], cores: int) -> list[_Part]:
    """Return the processes, in the order of their worth."""
    numbers = [
        int(found[1])
        for check in result.checks
        if check.ok and (found := _KERNEL.fullmatch(check.name))
    ]
    settings = _SETTINGS[mode]
    if not numbers and result.machine.get("gpus"):
        result.skipped.append(Skipped("gpu", "PyTorch computes on none of the GPUs"))
        return []
    if not numbers:
        return [_training("cpu", Recipe("resnet18", "fp32"), cores, settings["steps"])]
    names = tuple(f"cuda:{number}" for number in numbers)
    plan = [
        _Part(
            "the parts of the GPUs",
            "gpu",
            parts_apart,
            (names, Sizes()),
            _STARTS_IN_S + len(names),
            settings["parts"],
        )
    ]
    first = result.machine["gpus"][numbers[0]]
    recipes = usual_recipes(float(first["compute_capability"]))
    if mode == "quick":
        recipes = recipes[:1]
    plan += [_reducing(names[:count], settings) for count in _counts(len(names), mode)]
    plan += [_training(names[0], one, cores, settings["steps"]) for one in recipes]
    if mode == "full" and pictures:
        feed = Feed(tuple(pictures), cores)
        plan += [
            _Part(
                f"{one.profile} fed from files",
                f"{one.line}.fed",
                fed_apart,
                (names[0], one, feed),
                2.0 * _STARTS_IN_S,
                settings["steps"],
            )
            for one in recipes
            if one.profile in {"resnet18", "resnet50"}
        ]
    return plan


def _training(name: str, recipe: Recipe, cores: int, steps_s: float) -> _Part:
    fixed_s = _STARTS_IN_S + _SEARCHES_IN_S
    if recipe.compiled:
        fixed_s += _COMPILES_IN_S
    words = f"{recipe.profile}, {'compiled' if recipe.compiled else recipe.precision}"
    line = f"{recipe.line}.synthetic"
    return _Part(words, line, training_apart, (name, recipe, cores), fixed_s, steps_s)


def _reducing(names: tuple[str, ...], settings: dict[str, float]) -> _Part:
    return _Part(
        f"all-reduce of {len(names)} GPUs",
        f"allreduce.gpus{len(names)}",
        reduce_apart,
        (Group(names),),
        2.0 * _STARTS_IN_S,
        settings["reduce"],
    )


def _counts(gpus: int, mode: str) -> list[int]:
    """Return how many GPUs reduce together: all of them, in full 2, 4 ... too."""
    counts = {gpus} if gpus > 1 else set()
    if mode == "full":
        counts |= {2**power for power in range(1, gpus.bit_length())}
    return sorted(count for count in counts if count <= gpus)


def _in_time(plan: list[_Part], left_s: float) -> tuple[list[_Part], list[_Part]]:
    """Return the parts that there is time for, and the others."""
    kept, late, needed_s = [], [], 0.0
    for part in plan:
        least_s = part.fixed_s + _LEAST_SHARE * part.readings_s
        if needed_s + least_s <= left_s:
            kept.append(part)
            needed_s += least_s
        else:
            late.append(part)
    return kept, late


def _run(result: Result, part: _Part, scale: float, deadline: float) -> None:
    """Run a process; if it fails on one of several devices, another one does the rest."""
    readings_s = scale * part.readings_s
    patience_s = _PATIENCE * (part.fixed_s + readings_s)
    ends = min(deadline, time.monotonic() + patience_s)
    arguments = part.arguments
    while True:
        taken = _Taken(result)
        why = run_apart(part.function, (*arguments, readings_s), ends, taken)
        if not why:
            return
        if part.function is not parts_apart or taken.begun is None:
            result.skipped.append(Skipped(part.name, why))
            return
        names = arguments[0]
        failed = names[taken.begun].replace("cuda:", "gpu")
        result.skipped.append(Skipped(failed, why))
        if not names[taken.begun + 1 :] or time.monotonic() >= ends:
            return
        readings_s *= 1.0 - (taken.begun + 1) / len(names)
        arguments = (names[taken.begun + 1 :], *arguments[1:])


class _Taken:
    """Puts messages of a process where they belong.

    Parameters
    ----------
    result : of this bench
    """

    def __init__(self, result: Result) -> None:
        self._result = result
        self.begun: int | None = None

    def __call__(self, message: Line | Check | Skipped | Begun) -> None:
        if isinstance(message, Line):
            self._result.lines.append(message)
        elif isinstance(message, Check):
            self._result.checks.append(message)
        elif isinstance(message, Skipped):
            self._result.skipped.append(message)
        else:
            self.begun = message.place
