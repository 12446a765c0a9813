"""A profile of what was seen, with a like one's figures for what was not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, replace
from typing import Any

from advisor.base.errors import AdvisorError
from advisor.base.units import BYTES_PER_GB
from advisor.measure.hooks.observation import Observation
from advisor.measure.observed import trained_model
from advisor.measure.seen.data import (
    data_figures,
    picture_of,
    sample_words,
    tokens_of,
)
from advisor.measure.seen.figure import KNOWN, Figure, Figures, estimated, unseen
from advisor.measure.seen.net import net_figures
from advisor.measure.seen.software import software_figures
from advisor.workloads.dataset import Core
from advisor.workloads.memory import STATE_BYTES
from advisor.workloads.parse import FIELDS
from advisor.workloads.profile import Workload, with_benchmark_units_of

_WRITES_TEXT = ("causallm", "lmhead", "gpt", "llama", "conditionalgeneration")
"""Parts of the class of a net that predicts the next token."""

_NEEDED = ("batch_size", "forward_gflops_per_sample", "parameters_m")
"""Without these a profile would be another training's."""

_WORDS = frozenset({"name", "description", "task", "sample", "reference", "sources"})
"""Fields that no figure stands for."""

_OF_BASE = frozenset({"image", "image_cuda", "image_archs", "loading", "host_ram_gb"})
"""Fields that may be left out of a profile, and are what the base says; of the others it
has what was seen or the default, since they are of another net or other data."""


@dataclass(frozen=True, slots=True)
class Relative:
    """A profile that has what was not seen.

    Attributes
    ----------
    name : of the profile
    is_like : such a net was benchmarked, so that its measurements say how efficient this
        one is; false: data and recipe alone are taken
    """

    name: str
    is_like: bool


@dataclass(frozen=True, slots=True)
class Seen:
    """A profile from a training that was watched.

    Attributes
    ----------
    workload : the profile
    figures : field -> how it is known; all but what a figure cannot be of
    base : name of the profile that has the rest
    core : of this machine, which CPU times are scaled by
    """

    workload: Workload
    figures: Figures
    base: str
    core: Core

    @property
    def marks(self) -> Mapping[str, str]:
        """Field -> how it is known, for people."""
        return {name: KNOWN[figure.how] for name, figure in self.figures.items()}


def relative_of(observation: Observation) -> Relative:
    """Return the built-in profile that is nearest to what was seen."""
    seen = observation.attention
    attends = seen.fused_calls + seen.eager_calls + seen.flash_calls > 0
    if picture_of(observation) is not None:
        return Relative("vit-b16" if attends else "resnet50", is_like=True)
    if tokens_of(observation) is None:
        return Relative("resnet50", is_like=False)
    model = trained_model(observation)
    name = model.name.lower() if model is not None else ""
    if not attends or any(word in name for word in _WRITES_TEXT):
        return Relative("gpt2-124m", is_like=attends)
    return Relative("bert-base", is_like=True)


def profile_of(
    observation: Observation,
    load: Callable[[str], Workload],
    *,
    name: str,
    script: str,
    core: Core,
    base: str | None = None,
    epoch_samples: int | None = None,
) -> Seen:
    """Return the profile of a training that was watched.

    Parameters
    ----------
    load : returns a profile by its name
    name : of the new profile
    script : what ran, for people
    core : of this machine
    base : profile that has what was not seen; None: the nearest built-in one
    epoch_samples : that an epoch has, as the user says; None: as the loader says

    Raises
    ------
    advisor.base.errors.AdvisorError
        if what a profile cannot do without was not seen
    """
    relative = relative_of(observation) if base is None else Relative(base, is_like=True)
    parent = load(relative.name)
    found: dict[str, Figure] = {
        **data_figures(observation, core, epoch_samples),
        **net_figures(observation, parent),
        **software_figures(observation),
    }
    missing = [key for key in _NEEDED if key not in found]
    if missing:
        raise AdvisorError(_too_little(observation, missing))
    found["checkpoint_gb"] = _checkpoint(found)
    if not relative.is_like:
        found["epochs"] = unseen(1, "one, as no like training is known")
    for key in _needed_besides(found):
        found[key] = unseen(getattr(parent, key), f"of {parent.name}")
    reference = parent.reference
    if not relative.is_like:  # nothing like it was measured
        reference = replace(reference, benchmark="", benchmark_units_per_sample=1.0)
    sample = sample_words(observation)
    child = replace(
        parent,
        name=name,
        description=f"profiled: {script}; what was not seen is of {parent.name}",
        task=parent.task if relative.is_like else "not said",
        sample=sample or parent.sample,
        reference=reference,
        sources={
            **{key: text for key, text in parent.sources.items() if key not in FIELDS},
            **{key: figure.source for key, figure in found.items()},
        },
        **{**_defaults(), **{key: figure.value for key, figure in found.items()}},
    )
    child = with_benchmark_units_of(child, parent)
    ordered = {name: found[name] for name in FIELDS if name in found}
    return Seen(child, ordered, parent.name, core)


def _needed_besides(found: Mapping[str, Figure]) -> list[str]:
    """Return the fields that every profile has and nothing was seen of."""
    return [
        name
        for name, field in FIELDS.items()
        if field.default is MISSING and name not in found and name not in _WORDS
    ]


def _defaults() -> dict[str, Any]:
    """Return what the fields are that may be left out and are not the base's."""
    return {
        name: field.default
        for name, field in FIELDS.items()
        if field.default is not MISSING and name not in _OF_BASE
    }


def _checkpoint(found: Mapping[str, Figure]) -> Figure:
    """Return what a checkpoint takes: weights that are trained, and their states."""
    kept = STATE_BYTES["adam"]
    if "optimizer" in found:
        kept = STATE_BYTES.get(found["optimizer"].value, kept)
    trained = found["trainable_parameters_m"].value * 1e6
    words = f"FP32 weights that are trained, and {kept:g} bytes of optimizer state each"
    return estimated(trained * (4.0 + kept) / BYTES_PER_GB, words)


def _too_little(observation: Observation, missing: list[str]) -> str:
    steps = observation.steps
    seen = f"{steps.seen} optimizer steps, {steps.counted} of them counted"
    return (
        f"too little was seen for a profile ({seen}; no {', '.join(missing)}): let it "
        "run for longer, or with more steps"
    )
