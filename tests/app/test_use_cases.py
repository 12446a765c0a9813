"""What the commands do, asked for by a program: plain data in, plain data out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("uvicorn", reason="the extra 'simulator' is not installed")

from advisor.app.job import JobSpec
from advisor.app.listener import Listener
from advisor.app.release import Released, release
from advisor.app.rent import RentSpec
from advisor.app.renting import rent
from advisor.app.run import RunSpec
from advisor.app.running import would_run
from advisor.base.errors import AdvisorError, UsageError
from advisor.rental.request import Attempt, Rental
from tests.rental.conftest import RENT, RUN, make_street, street

__all__ = ["make_street", "street"]  # fixtures

JOB = JobSpec("resnet50", settings=(("dataset_gb", 1.0),), epochs=2)


class Heard(Listener):
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.rentals: list[Rental] = []
        self.refusals: list[tuple[AdvisorError, Sequence[Attempt]]] = []

    def rented(self, rental: Rental, key_file: Path) -> None:
        assert key_file.is_file()
        self.rentals.append(rental)

    def not_rented(self, error: AdvisorError, attempts: Sequence[Attempt]) -> None:
        self.refusals.append((error, attempts))


def test_a_program_rents_and_releases(street: Any) -> None:
    """Without a terminal and without options; what it hears is what it gets."""
    context, heard = street.context(), Heard()
    rental = rent(context, RentSpec(JOB), heard)
    assert [one.entry for one in heard.rentals] == [rental.entry]
    assert [one.state for one in street.entries()] == ["handed"]
    chosen: list[int | None] = []
    release(
        context,
        "vast",
        Released(instance_id=rental.entry.instance_id),
        lambda ones: chosen.extend(one.instance_id for one in ones),
    )
    assert chosen == [rental.entry.instance_id]
    assert not street.instances()


def test_who_is_not_told_has_no_machine(street: Any) -> None:
    """It is released: nobody would know of it."""

    class Deaf(Listener):
        def rented(self, rental: Rental, key_file: Path) -> None:
            message = "nobody hears it"
            raise AdvisorError(message)

    with pytest.raises(AdvisorError, match="nobody hears it"):
        rent(street.context(), RentSpec(JOB), Deaf())
    assert not street.instances()
    assert [one.state for one in street.entries()] == ["released"]


def test_a_refusal_is_heard_with_its_attempts(street: Any) -> None:
    """And raised."""

    class Reluctant(Heard):
        def confirms(self, candidate: Any, ends_at: float) -> bool:
            return False

    heard = Reluctant()
    with pytest.raises(AdvisorError, match="not confirmed") as raised:
        rent(street.context(), RentSpec(JOB), heard)
    assert heard.refusals == [(raised.value, [])]
    assert not street.instances()


@pytest.mark.parametrize(
    "said", [{}, {"job": "a", "everything": True}, {"instance_id": 0, "job": "a"}]
)
def test_what_is_released_is_said_once(said: dict[str, Any]) -> None:
    """Neither nothing nor twice."""
    with pytest.raises(UsageError, match="say what to release"):
        Released(**said)


def test_a_dry_run_holds_the_spec_that_asks_for_it(street: Any, tmp_path: Path) -> None:
    """What it prints is enough to ask for the same again, from Python or a file."""
    rented = street.launch(*RENT, "--dry-run", "--gpu", "RTX 4070", "--budget", "9")
    spec = RentSpec.from_document(json.loads(rented.stdout)["spec"])
    assert spec.budget_usd == 9.0
    assert spec.offers.gpus == ("RTX 4070",)
    project = tmp_path / "project"
    project.mkdir()
    (project / "train.py").write_text("print(1)\n")
    line = (*RUN, "--dry-run", "--json", "--sync", str(project), "--", "python")
    printed = street.launch(*line, "train.py")
    assert printed.exit_code == 0, printed.stderr
    asked = RunSpec.from_document(json.loads(printed.stdout)["spec"])
    assert asked.argv == ("python", "train.py")
    would = would_run(street.context(), asked)
    assert list(would.outgoing.files) == ["train.py"]
    assert would.rent.candidate.offer_id == json.loads(printed.stdout)["offer_id"]


def test_a_program_is_not_asked_it_is_refused(street: Any, tmp_path: Path) -> None:
    """What a person would be asked, with the field that changes it."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "train.py").write_text("#" * 10_000)
    spec = RunSpec(RentSpec(JOB), ("python", "train.py"), str(project), max_sync_gb=1e-6)
    with pytest.raises(UsageError, match="raise max_sync_gb"):
        would_run(street.context(), spec)
