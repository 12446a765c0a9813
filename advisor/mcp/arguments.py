"""What a tool is asked for: its arguments as JSON Schema, and as the specs take them.

An argument has the name of the spec's field, as in the Python face; the specs check it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from advisor.app.constraints import Constraints
from advisor.app.documents import needs
from advisor.app.job import LARGEST_MARGIN, JobSpec
from advisor.app.rank import RankSpec
from advisor.app.rent import DEFAULT_MARKET, RentSpec
from advisor.app.run import RunSpec
from advisor.base.errors import ArgumentError, Given, UsageError
from advisor.cost.job import RENTALS
from advisor.ranking.policy import SORT_KEYS
from advisor.rental import arguments
from advisor.rental.arguments import SHORTEST_S
from advisor.rental.outgoing.decide import MAX_SYNC_GB
from advisor.rental.request import DEFAULT_ATTEMPTS, MOST_ATTEMPTS

Arguments = Mapping[str, Any]
"""Of a call, as JSON has them, nulls left out: see `given`."""

CAPS = ("budget_usd", "max_lifetime_s")
"""What every call that pays must say."""

_NAME = re.compile(r"[\w.:+-]{1,200}")
_FILE_ENDINGS = (".toml", ".json", ".gz")


def _text(told: str, **more: Any) -> dict[str, Any]:
    return {"type": "string", "description": told, **more}


def _above_zero(told: str) -> dict[str, Any]:
    return {"type": "number", "exclusiveMinimum": 0, "description": told}


def _seconds(told: str) -> dict[str, Any]:
    return {"type": "number", "minimum": SHORTEST_S, "description": told}


def _whole(told: str, most: int | None = None, least: int = 1) -> dict[str, Any]:
    bound = {} if most is None else {"maximum": most}
    return {"type": "integer", "minimum": least, **bound, "description": told}


def _flag(told: str) -> dict[str, Any]:
    return {"type": "boolean", "description": told}


def _list(told: str, kind: Mapping[str, Any] | None = None) -> dict[str, Any]:
    return {"type": "array", "items": kind or {"type": "string"}, "description": told}


def _pairs(told: str, kinds: str | Sequence[str]) -> dict[str, Any]:
    values = {"type": kinds if isinstance(kinds, str) else list(kinds)}
    return {"type": "object", "additionalProperties": values, "description": told}


WORKLOAD = {
    "workload": _text(
        "Name of a workload profile, such as resnet50; the tool 'workloads' lists them."
    ),
}

HOW = {
    "settings": _pairs(
        'Figures of the profile to replace, such as {"batch_size": 64}.',
        ("string", "number", "boolean"),
    ),
    "epochs": _whole("Epochs of the job. Default: the workload's."),
    "disk_gb": _above_zero("Disk to rent, GB. Default: what the job needs."),
    "rental": _text(
        "How the machine is paid; interruptible bids. Default: on-demand.",
        enum=list(RENTALS),
    ),
    "fit_batch": _flag("Use the largest batch that fits each GPU."),
    "memory_margin": {
        "type": "number",
        "minimum": 0,
        "maximum": LARGEST_MARGIN,
        "description": "Share of a GPU's memory to leave free.",
    },
    "assumptions": _pairs(
        'Figures of the cost model to replace, such as {"repair_h": 4}.', "number"
    ),
    "image": _text("Docker image of the job. Default: chosen by GPU and driver."),
}
"""Fields of a `JobSpec` beside the workload."""

OFFERS = {
    "gpus": _list('GPUs or families that will do, such as ["RTX 4090", "A100"].'),
    "exclude_gpus": _list("GPUs or families that will not do."),
    "num_gpus": _list("Numbers of GPUs that will do.", {"type": "integer", "minimum": 1}),
    "min_reliability": {
        "type": "number",
        "minimum": 0,
        "maximum": 1,
        "description": "Lowest reliability.",
    },
    "max_usd_per_hour": _above_zero("Highest price with the disk of the job, $/h."),
    "regions": _list('Regions, countries or states, such as ["europe", "US"].'),
    "verified": _flag("Only verified machines."),
    "min_duration_s": _seconds("Time that the offer must stay available, s."),
    "min_ram_gb": _above_zero("Lowest host memory of the offer, GB."),
    "min_vram_gb": _above_zero("Lowest memory of each GPU, GB as it is sold."),
    "datacenter": _flag("Only machines in data centers."),
    "where": _list(
        "Conditions in the words of 'vastai search offers', such as [\"cpu_ram>=48\"]."
    ),
}
"""Fields of `Constraints`."""

MARKET = {
    "market": _text(
        "Name of a market: sample (bundled, simulated) or vast. Default: vast with a "
        "key, else sample."
    ),
    "max_age_s": {
        "type": "number",
        "minimum": 0,
        "description": "How old a stored answer of the market may be, s. Default: 300.",
    },
    "stale_ok": _flag("Use the newest stored answer when the rate limit is reached."),
}
"""Which market is asked, and how fresh it must be."""

OF_RANK = {
    "sort": _text("What the order goes by. Default: epoch-cost.", enum=list(SORT_KEYS)),
    "risk_averse": {
        "type": "number",
        "exclusiveMinimum": 0,
        "exclusiveMaximum": 1,
        "description": "Order by this quantile of the cost. Default: the expected cost.",
    },
    "deadline_s": _above_zero("Longest time of the whole job, s."),
    "budget_usd": _above_zero("Highest cost of the whole job, $."),
    "pareto": _flag("Only offers that no other beats on both cost and time."),
}

OF_RENT = {
    "budget_usd": _above_zero(
        "Required cap: the most that the job may cost, all its rentals together, $. Ask "
        "the user for it."
    ),
    "max_lifetime_s": _seconds(
        "Required cap: the machine is gone after this time at the latest, s. Ask the "
        "user for it."
    ),
    "max_epoch_usd": _above_zero("Highest cost per epoch, $."),
    "deadline_s": _seconds("Longest predicted time of the whole job, s."),
    "name": _text("Name of the job; its rentals share a budget. Default: a new one."),
    "attempts": _whole(f"Offers to try. Default: {DEFAULT_ATTEMPTS}.", MOST_ATTEMPTS),
    "start_timeout_s": _seconds("Longest wait until the machine is ready, s."),
    "lease_s": _seconds("The machine ends itself when nobody renews it for so long, s."),
    "verify": _flag(
        "Measure each machine, return slow ones. Default: to run over an hour."
    ),
    "market": _text(f"Name of the market to rent on. Default: {DEFAULT_MARKET}."),
}

OF_RUN = {
    "argv": _list('The command and its arguments, such as ["python", "train.py"].'),
    "folder": _text(
        "Whole path of the folder to copy to the machine, in which the command runs."
    ),
    "results": _text("Folder in it to copy back at the end. Default: results."),
    "checkpoints": _text(
        "Folder in it to copy back every five minutes. Default: checkpoints."
    ),
    "includes": _list("Patterns of files to copy although they are ignored."),
    "excludes": _list("Patterns of more files not to copy."),
    "max_sync_gb": _above_zero(
        "The user is asked before more than this is copied, GB. Default, and at most: "
        f"{MAX_SYNC_GB:g}."
    ),
    "max_results_gb": _above_zero("Most to copy back, GB."),
}


def schema(properties: Mapping[str, Any], required: Sequence[str] = ()) -> dict[str, Any]:
    """Return the JSON Schema of a tool's arguments; nothing else may be given."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(required),
        "additionalProperties": False,
    }


def given(found: Arguments | None) -> Arguments:
    """Return the arguments of a call; null is not given, as models have it."""
    return {key: value for key, value in (found or {}).items() if value is not None}


def check_known(found: Arguments, known: Mapping[str, Any]) -> None:
    """Refuse an argument that a tool has not: a constraint that is dropped is none.

    Raises
    ------
    UsageError
        with the first of them
    """
    properties = known["properties"]
    if unknown := sorted(key for key in found if key not in properties):
        message = (
            f"{unknown[0][:40]!r} is no argument of this tool; it has "
            f"{', '.join(properties)}"
        )
        raise UsageError(message)


def named(found: Arguments, name: str) -> str | None:
    """Return the name of a workload or a market; None where it is not given.

    Files are for the command line: what is wrong with one is told with parts of it, and
    an agent may name any.

    Raises
    ------
    UsageError
        if it is no name
    """
    value = arguments.text(name, found.get(name), may_lack=True)
    if value is None:
        return None
    is_path = value.lower().endswith(_FILE_ENDINGS) or Path(value).is_file()
    if is_path or not _NAME.fullmatch(value):
        raise arguments.wrong(name, value, "a name is expected, no path")
    return value


def job_of(found: Arguments) -> JobSpec:
    """Return what is trained.

    Raises
    ------
    UsageError
        if it cannot be
    """
    named(found, "workload")
    return JobSpec.from_document(_of(JobSpec, found))


def offers_of(found: Arguments) -> Constraints:
    """Return which offers will do.

    Raises
    ------
    UsageError
        if it cannot be
    """
    return Constraints.from_document(_of(Constraints, found))


def rank_spec(found: Arguments, top: int | None = None) -> RankSpec:
    """Return a ranking, as it is asked for.

    Raises
    ------
    UsageError
        if it cannot be
    """
    rest = _of(RankSpec, found, besides=("job", "offers", "top"))
    return RankSpec(job=job_of(found), offers=offers_of(found), top=top, **rest)


def rent_spec(found: Arguments) -> RentSpec:
    """Return a rental, as it is asked for.

    Raises
    ------
    UsageError
        if it cannot be, or has no cap
    """
    check_caps(found)
    named(found, "market")
    rest = _of(RentSpec, found, besides=("job", "offers"))
    return RentSpec(job=job_of(found), offers=offers_of(found), **rest)


def run_spec(found: Arguments) -> RunSpec:
    """Return a command, its folder, and how its machine is rented.

    Raises
    ------
    UsageError
        if it cannot be, or has no cap
    """
    rent = rent_spec(found)
    needs(found, "argv", "folder")
    rest = _of(RunSpec, found, besides=("rent",))
    return RunSpec(rent=rent, **rest)


def check_caps(found: Arguments) -> None:
    """Refuse to spend money without a cap in dollars and one in time.

    Raises
    ------
    ArgumentError
        if one lacks
    """
    for name in CAPS:
        if name not in found:
            raise ArgumentError(
                *(Given(name), " is missing: nothing is paid without a cap; "),
                "ask the user for it",
            )


def shown(found: Arguments, name: str, default: int, most: int) -> int:
    """Return how many rows are asked for.

    Raises
    ------
    UsageError
        if it is more than an answer has room for
    """
    given = arguments.whole(name, found.get(name), most, may_lack=True)
    return default if given is None else given


def numbers_of(found: Arguments, name: str) -> list[int]:
    """Return the ids of offers.

    Raises
    ------
    UsageError
        if they are none
    """
    values = found.get(name)
    is_list = isinstance(values, list) and all(
        isinstance(one, int) and not isinstance(one, bool) for one in values
    )
    if not (is_list and values):
        raise arguments.wrong(name, values, "a list of whole numbers is expected")
    return list(values or ())


def _of(spec: type[Any], found: Arguments, besides: Sequence[str] = ()) -> dict[str, Any]:
    """Return those of the arguments that are fields of a spec."""
    return {
        one.name: _tupled(found[one.name])
        for one in fields(spec)
        if one.name not in besides and one.name in found
    }


def _tupled(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
