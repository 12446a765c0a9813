"""What measuring a rented machine costs is told before and after, and what came of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import advisor
from advisor.app.verifying import Verifier
from advisor.base.clock import Clock
from advisor.base.errors import StoreError
from advisor.market.lifecycle import Endpoint
from advisor.measure.bench import BenchResult
from advisor.ranking.offer import RankedOffer
from advisor.ranking.ranking import Ranking
from advisor.rental.context import RentalContext
from advisor.rental.refused import NotRented
from advisor.rental.remote.ssh import Ssh
from advisor.rental.request import Trial
from tests.measure.benches import document
from tests.rental.steps.conftest import Time, instance

SSH = """\
#!/bin/sh
for last; do :; done
export HOME={home} PATH={programs}:$PATH
exec /bin/sh -c "$last"
"""

PYTHON = """\
#!/bin/sh
case "$*" in *--mode*) exec cat "$HOME/printed" ;; *) exec {python} "$@" ;; esac
"""


@pytest.fixture(scope="module")
def offers() -> Ranking:
    """Return single cards of one kind, on which the job takes days."""
    return advisor.rank(
        "bert-base", market="sample", gpus=["RTX 4090"], num_gpus=[1], epochs=100
    )


@dataclass
class Measured:
    """A machine that shows what it is told to, and who measures it.

    Attributes
    ----------
    said : what was told
    stored : what was kept, by offer
    is_full : whether nothing can be kept
    """

    home: Path
    ssh: Ssh
    offers: Ranking
    time: Time = field(default_factory=Time)
    said: list[str] = field(default_factory=list)
    stored: list[tuple[int, float]] = field(default_factory=list)
    from_h: float = 0.0
    is_full: bool = False

    def __post_init__(self) -> None:
        context = RentalContext(
            market=_NoMarket(),  # type: ignore[arg-type]
            account="plain/me",
            folder=self.home,
            clock=self.time.clock,
            notify=self.said.append,
        )
        self.verify = Verifier(
            context, lambda _: self.ssh, self.from_h, 3600.0, self.kept
        )

    def kept(self, offer: RankedOffer, found: BenchResult) -> None:
        if self.is_full:
            message = "the disk is full"
            raise StoreError(message)
        self.stored.append((offer.offer_id, found.value("gpu0.bandwidth")))

    def shows(self, shares: Mapping[str, float], **changes: Any) -> None:
        lines = {
            "gpu0.matmul.fp16": (167.0 * shares.get("card", 1.0), "TFLOP/s"),
            "gpu0.matmul.bf16": (165.0 * shares.get("card", 1.0), "TFLOP/s"),
            "gpu0.bandwidth": (920.0 * shares.get("card", 1.0), "GB/s"),
        }
        found = {**document(lines), **changes}
        (self.home / "printed").write_text(json.dumps(found))

    def __call__(self, at: int = 0, others: bool = True) -> Any:
        candidate: RankedOffer = self.offers[at]
        following = list(self.offers)[at + 1 : at + 3] if others else []
        runs_since = self.time.at - 100.0
        return self.verify(Trial(instance(7, "x"), candidate, following, runs_since))


class _NoMarket:
    """A market that is not asked."""

    ahead_s = None


Make = Callable[..., Measured]


@pytest.fixture
def measure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, offers: Ranking) -> Make:
    """Return what makes a machine whose program prints a recorded result."""
    home, programs, here = (tmp_path / name for name in ("home", "programs", "here"))
    for folder in (home, programs, here, home / ".advisor"):
        folder.mkdir()
    monkeypatch.setenv("PATH", str(here), prepend=":")
    python = PYTHON.format(python=shutil.which("python3"))
    for path, text in (
        (here / "ssh", SSH.format(home=home, programs=programs)),
        (programs / "python3", python),
    ):
        path.write_text(text)
        path.chmod(0o755)
    at = [Endpoint("203.0.113.9", 22)]
    ssh = Ssh(at, tmp_path / "key", tmp_path / "known_hosts", Clock())

    def make(**changes: Any) -> Measured:
        return Measured(home, ssh, offers, **changes)

    return make


def test_what_a_healthy_machine_costs_is_told_before_and_after(measure: Make) -> None:
    """Seconds and dollars; its figures are there for programs."""
    machine = measure()
    machine.shows({})
    found = machine()
    assert found["kept"] is True
    assert found["lines"][0]["name"] == "gpu0.matmul.fp16"
    before, after = machine.said
    price = machine.offers[0].price_usd_per_h
    assert before == (
        "instance 7 is measured before it is used: about 90 s, "
        f"${90.0 * price / 3600.0:.3f}; at most 210 s"
    )
    assert after.startswith("instance 7 does what it should: 3 of 3 figures could be ")
    assert after.endswith(f"(100 s, ${100.0 * price / 3600.0:.3f} paid)")


def test_a_machine_at_half_speed_is_given_back(measure: Make) -> None:
    """With the figures, what the next offer saves, and what was paid."""
    machine = measure()
    machine.shows({"card": 0.5})
    refused = machine()
    assert isinstance(refused, NotRented)
    assert refused.cause == "slow"
    assert "gpu0.matmul.fp16 50% of RTX 4090" in refused.reason
    assert "the next offer saves $" in refused.reason
    assert "(100 s, $0.0" in refused.reason
    assert refused.measured is not None
    assert refused.measured["kept"] is False


def test_what_was_measured_is_kept(measure: Make) -> None:
    """Of a machine that stays and of one that does not; a full disk costs none."""
    machine = measure()
    machine.shows({})
    machine(0)
    machine.shows({"card": 0.5})
    assert isinstance(machine(1), NotRented)
    ids = [one.offer_id for one in machine.offers[:2]]
    assert machine.stored == [(ids[0], 920.0), (ids[1], 460.0)]
    full = measure(is_full=True)
    full.shows({})
    assert full()["kept"] is True
    assert "what was measured is not kept: the disk is full" in full.said


def test_a_machine_that_was_slow_for_a_moment_is_kept(
    measure: Make, tmp_path: Path
) -> None:
    """It is measured once more before it is given back, and has the better figures."""
    machine = measure()
    machine.shows({"card": 0.5})
    shutil.copy(machine.home / "printed", machine.home / "first")
    machine.shows({})
    python = tmp_path / "programs" / "python3"
    swap = '[ ! -e "$HOME/first" ] || { cat "$HOME/first"; rm "$HOME/first"; exit; }'
    text = python.read_text().replace("exec cat", f"{swap}; exec cat")
    python.write_text(text)
    found = machine()
    assert found["kept"] is True
    assert not any(one["fault"] for one in found["lines"])
    assert machine.said[1].startswith("instance 7 is measured once more: gpu0.")
    assert "does what it should" in machine.said[2]


@pytest.mark.parametrize(
    "checks",
    [
        [{"name": "gpus", "ok": False, "words": "the driver shows none"}],
        [{"name": "gpus", "ok": None, "words": "no program sees any"}],
    ],
)
def test_a_gpu_that_dies_between_two_measurements_is_told(
    measure: Make, tmp_path: Path, checks: list[dict[str, Any]]
) -> None:
    """Figures of a moment before do not stand for it."""
    machine = measure()
    machine.shows({"card": 0.5})
    shutil.copy(machine.home / "printed", machine.home / "first")
    dead = document({"core.zlib": (20.0, "MB/s")}, gpus=())
    (machine.home / "printed").write_text(json.dumps({**dead, "checks": checks}))
    python = tmp_path / "programs" / "python3"
    swap = '[ ! -e "$HOME/first" ] || { cat "$HOME/first"; rm "$HOME/first"; exit; }'
    python.write_text(python.read_text().replace("exec cat", f"{swap}; exec cat"))
    refused = machine()
    assert isinstance(refused, NotRented)
    assert refused.cause == "gpu_error"
    assert machine.stored == []


def test_a_slow_machine_that_is_not_measured_twice_is_given_back(
    measure: Make, tmp_path: Path
) -> None:
    """What it showed once stands where the second measurement fails."""
    machine = measure()
    machine.shows({"card": 0.5})
    python = tmp_path / "programs" / "python3"
    once = '[ ! -e "$HOME/once" ] || exit 7; touch "$HOME/once"'
    python.write_text(python.read_text().replace("exec cat", f"{once}; exec cat"))
    refused = machine()
    assert isinstance(refused, NotRented)
    assert refused.cause == "slow"
    assert machine.said[-1].startswith("instance 7 has its first figures alone: ")
    assert len(machine.stored) == 1


def test_moves_before_speak_against_another_one(measure: Make) -> None:
    """Where machine after machine is slow, not each of them may cost a set-up."""
    machine = measure()
    machine.shows({"card": 0.5})
    first = machine(0)
    machine.shows({"card": 0.3})
    second = machine(1)
    spent = first.measured["paid_usd"] + first.measured["set_up_usd"]
    assert (first.measured["lost_usd"], second.measured["lost_usd"]) == (0.0, spent)
    assert "with the moves before (100 s" in second.reason


def test_a_second_machine_that_does_the_same_is_taken(measure: Make) -> None:
    """Of two alike it is not the machine that is to be doubted."""
    machine = measure()
    machine.shows({"card": 0.5})
    assert isinstance(machine(0), NotRented)
    found = machine(1)
    assert found["kept"] is True
    words = [one["words"] for one in found["lines"]]
    assert words[0] == "50% of RTX 4090, as another machine of its kind"


def test_a_slow_machine_is_kept_where_there_is_no_other(measure: Make) -> None:
    """Which is told with what is slow."""
    machine = measure()
    machine.shows({"card": 0.5})
    assert machine(others=False)["kept"] is True
    assert machine.said[-1].startswith("instance 7 stays, though slow: gpu0.")
    assert "and there is no other offer to try (100 s, $0.0" in machine.said[-1]


def test_an_image_that_does_not_fit_is_told_as_that(measure: Make) -> None:
    """Not as a slow machine: nobody is blamed."""
    machine = measure()
    words = "PyTorch has code for sm_80, none for compute capability 12.0"
    check = {"name": "gpu0.architecture", "ok": False, "words": words}
    machine.shows({"card": 0.5}, checks=[check])
    refused = machine()
    assert isinstance(refused, NotRented)
    assert refused.cause == "image_lacks_gpu"
    assert words in refused.reason


@pytest.mark.parametrize(
    "printed", ["", "{", '{"kind": "other"}', "\x1b[31m" + "x" * 2_000_000]
)
def test_what_cannot_be_measured_is_taken_as_it_is(measure: Make, printed: str) -> None:
    """A stranger's output is no result; nothing of it steers a terminal."""
    machine = measure()
    (machine.home / "printed").write_text(printed)
    assert machine() is None
    assert machine.said[-1].startswith("instance 7 is not measured, and taken as it is: ")
    assert machine.said[-1].isprintable()


def test_a_job_that_is_short_is_not_measured(measure: Make) -> None:
    """It would be over before that had paid."""
    job_h = measure().offers[0].job_h
    machine = measure(from_h=job_h * 1.01)
    machine.shows({})
    assert machine() is None
    assert machine.said == []
    longer = measure(from_h=job_h)
    assert longer() is not None
