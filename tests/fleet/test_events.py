"""Events of a sweep are lines of JSON, and lines for people."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import MISSING, fields, replace
from typing import Any

import pytest

from advisor.fleet import events
from advisor.fleet.events import (
    Event,
    JobFailed,
    JobMoved,
    MachineRented,
    Spent,
    SweepEnded,
    to_line,
)
from advisor.fleet.words import line_of

_SAMPLES: dict[str, Any] = {
    "str": "text",
    "int": 3,
    "int | None": None,
    "float": 1.5,
    "bool": True,
    "float | None": None,
}

EVENTS = [
    kind
    for kind in vars(events).values()
    if isinstance(kind, type) and issubclass(kind, Event) and hasattr(kind, "name")
]
"""All kinds that have a name."""


def made(kind: type[Event]) -> Event:
    """Return an event with all that it must be given."""
    given = {
        one.name: _SAMPLES[str(one.type)]
        for one in fields(kind)
        if one.default is MISSING
    }
    return kind(**given)


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.name)
def test_an_event_is_one_line_of_json(kind: type[Event]) -> None:
    """It says its version, its name and when it was, and all that it holds."""
    event = made(kind)
    line = to_line(event)
    assert line.isascii()
    assert "\n" not in line
    document = json.loads(line)
    assert document["schema_version"] == 1
    assert document["event"] == kind.name
    assert document["at"] == "1970-01-01T00:00:01.500Z"
    assert {one.name for one in fields(kind)} <= document.keys()


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.name)
def test_an_event_is_as_its_schema_says(
    kind: type[Event], conforms: Callable[[str, Any], None]
) -> None:
    """Keys that are promised are there, and none that is not described."""
    conforms("sweep-run", made(kind).to_document())


def test_no_two_events_have_one_name() -> None:
    """A program knows from the name which keys there are."""
    assert len({kind.name for kind in EVENTS}) == len(EVENTS) == 14


def test_what_a_machine_says_is_plain_and_short() -> None:
    """Neither JSON nor a line obeys what a stranger has written, or grows with it."""
    event = JobFailed(
        at=0.0,
        job="a",
        label="adv",
        attempt=1,
        exit_code=1,
        again=False,
        reason="\x1b]52;c;aGk=\x07\nfoo " + "x" * 10_000,
    )
    reason = event.to_document()["reason"]
    line = line_of(event)
    assert line is not None
    for text in (reason, line):
        assert text.isprintable()
        assert len(text) < 400


def test_json_has_no_number_that_is_none() -> None:
    """What nobody can say is null."""
    event = Spent(at=0.0, usd=1.0, forecast_usd=float("inf"), left_s=float("nan"))
    document = json.loads(to_line(event))
    assert (document["forecast_usd"], document["left_s"]) == (None, None)


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.name)
def test_people_hear_of_it_in_one_line_or_not_at_all(kind: type[Event]) -> None:
    """A line names the job or the machine; what nobody waits for has none."""
    line = line_of(made(kind))
    if kind.name in {"job_assigned", "job_ended", "machine_released", "spent"}:
        assert line is None
    else:
        assert line is not None
        assert "text" in line or kind.name in {"replanned", "sweep_ended"}


def test_a_line_says_what_has_happened() -> None:
    """As people say it, with units."""
    rented = MachineRented(
        at=0.0,
        label="adv-7",
        instance_id=9,
        gpu_name="RTX 4090",
        num_gpus=2,
        slots=2,
        usd_per_hour=0.8,
        picked_up=True,
    )
    assert line_of(rented) == "adv-7: picked up again, 2 × RTX 4090, $0.8/h"
    moved = JobMoved(at=0.0, job="a", label="adv-7", attempt=1, proof="destroyed")
    expected = "a: goes on elsewhere than on adv-7: its machine is destroyed"
    assert line_of(moved) == expected
    failed = JobFailed(at=0.0, job="a", label="adv-7", attempt=2, exit_code=3, again=True)
    expected = "a: failed on adv-7 with exit code 3; it is started again"
    assert line_of(failed) == expected
    restarted = replace(failed, exit_code=None, again=False)
    assert line_of(restarted) == "a: failed on adv-7"
    assert line_of(restarted, lambda _: "instance 9") == "a: failed on instance 9"


@pytest.mark.parametrize(
    ("waiting", "expected"),
    [
        (0, "the sweep is over: 2 done, 1 failed, 0 not run"),
        (
            4,
            "the sweep stops, and can be resumed: 2 done, 1 failed, 4 not run",
        ),
    ],
)
def test_a_sweep_with_jobs_left_is_not_told_as_over(waiting: int, expected: str) -> None:
    """Who interrupts it is told that it can go on."""
    ended = SweepEnded(
        at=0.0,
        done=2,
        failed=1,
        waiting=waiting,
        usd=3.0,
        reason="interrupted" if waiting else "",
    )
    line = line_of(ended)
    assert line is not None
    assert line.startswith(expected)
    assert line.endswith("; at most $3.00; interrupted" if waiting else "; at most $3.00")
