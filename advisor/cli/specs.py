"""From the command line's options to specs, and what a wrong one is called there.

An option's argument has the name of the field that it is for, so that nothing is said
twice; which spec a field belongs to is known by the spec.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import click

from advisor.app.constraints import Constraints
from advisor.app.job import JobSpec
from advisor.base.errors import ArgumentError, Given, UsageError
from advisor.cli.options import given_flags
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
    """Return those of click's options that are fields of a spec, as it takes them."""
    found = {one.name: options[one.name] for one in fields(spec) if one.name in options}
    for name, read in _PAIRS.items():
        if name in found:
            found[name] = tuple(read(found[name]).items())
    return found


def job_spec(options: Mapping[str, Any]) -> JobSpec:
    """Return the job of `job_options`."""
    with as_options():
        return JobSpec(**fields_of(JobSpec, options))


def constraints(options: Mapping[str, Any]) -> Constraints:
    """Return the constraints of `constraint_options`."""
    with as_options():
        return Constraints(**fields_of(Constraints, options))


def rank_spec(options: Mapping[str, Any]) -> RankSpec:
    """Return the ranking of the options of ``rank``."""
    from advisor.app.rank import RankSpec  # noqa: PLC0415  (other commands need none)

    job, offers = job_spec(options), constraints(options)
    with as_options():
        return RankSpec(**{"job": job, "offers": offers, **fields_of(RankSpec, options)})


@contextmanager
def as_options() -> Iterator[None]:
    """Call wrong arguments as the command that runs calls them.

    Raises
    ------
    UsageError
        in place of an `ArgumentError`
    """
    try:
        yield
    except ArgumentError as error:
        called = called_options()

        def words(given: Given) -> str:
            return called.get(given.name, str(given))

        raise UsageError(error.worded(words)) from error


def called_options() -> Mapping[str, str]:
    """Return field -> option of the command that runs."""
    ctx = click.get_current_context()
    named = {one.name: one.opts[0] for one in ctx.command.params if one.name}
    return named | given_flags(ctx)
