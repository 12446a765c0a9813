"""What a program gives us, as the specs take it.

A spec holds plain data that JSON can keep: pairs of a mapping, texts of figures. What is
none of it is left as it is, for the spec to refuse.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from advisor.app.constraints import Constraints
from advisor.app.context import Context
from advisor.app.job import JobSpec
from advisor.workloads.profile import Workload


def world_of(context: Context | None) -> Context:
    """Return the world of a call; None: this process's, which notifies by warnings."""
    return context or replace(Context.of_this_process(), notify=_warn)


def job_of(
    workload: object, *, settings: object = None, assumptions: object = None, **more: Any
) -> JobSpec:
    """Return the job of the arguments that are fields of `JobSpec`.

    Parameters
    ----------
    workload : name or path of a profile, or a profile
    settings, assumptions : mappings; None: empty ones

    Raises
    ------
    advisor.base.errors.ArgumentError
        if a value cannot be right, or two contradict each other
    """
    name: Any = workload.name if isinstance(workload, Workload) else workload
    return JobSpec(
        name, settings=_pairs(settings), assumptions=_pairs(assumptions), **more
    )


def offers_of(*, where: object = (), **more: Any) -> Constraints:
    """Return the constraints of the arguments that are fields of `Constraints`.

    Parameters
    ----------
    where : one text, or several

    Raises
    ------
    advisor.base.errors.ArgumentError
        if a value cannot be right, or two contradict each other
    """
    conditions: Any = (where,) if isinstance(where, str) else where
    return Constraints(where=conditions, **more)


def profile_of(workload: object) -> Workload | None:
    """Return a profile that was given as such; None where it is named."""
    return workload if isinstance(workload, Workload) else None


def _warn(line: str) -> None:
    warnings.warn(line, stacklevel=2)


def _pairs(given: object) -> Any:
    if given is None:
        return ()
    return tuple(given.items()) if isinstance(given, Mapping) else given
