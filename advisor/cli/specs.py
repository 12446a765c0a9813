"""From the command line's options to specs.

An option's argument has the name of the field that it is for, so that nothing is said
twice; which spec a field belongs to is known by the spec.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from advisor.app.constraints import Constraints
from advisor.app.job import JobSpec
from advisor.cli.options import is_given
from advisor.cost.assumptions import assumed_figures
from advisor.workloads.override import assigned

if TYPE_CHECKING:
    from advisor.app.rank import RankSpec

_PAIRS: Mapping[str, Callable[[tuple[str, ...]], Mapping[str, Any]]] = {
    "settings": assigned,
    "assumptions": assumed_figures,
}
"""Options that are repeated, ``NAME=VALUE`` each."""


def fields_of(spec: type[Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of click's options that are fields of a spec, as it takes them.

    What was not given is left to the spec, which has the defaults.
    """
    found = {
        one.name: options[one.name]
        for one in fields(spec)
        if is_given(options.get(one.name))
    }
    for name, read in _PAIRS.items():
        if name in found:
            found[name] = tuple(read(found[name]).items())
    return found


def job_spec(options: Mapping[str, Any]) -> JobSpec:
    """Return the job of `job_options`."""
    return JobSpec(**fields_of(JobSpec, options))


def constraints(options: Mapping[str, Any]) -> Constraints:
    """Return the constraints of `constraint_options`."""
    return Constraints(**fields_of(Constraints, options))


def rank_spec(options: Mapping[str, Any]) -> RankSpec:
    """Return the ranking of the options of ``rank``."""
    from advisor.app.rank import RankSpec  # noqa: PLC0415  (other commands need none)

    job, offers = job_spec(options), constraints(options)
    return RankSpec(**{"job": job, "offers": offers, **fields_of(RankSpec, options)})
