"""A measured machine is kept, unless it is slow and moving saves more than it costs."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.measure.acceptance import (
    Acceptance,
    Prospect,
    accepted,
    better_of,
    lasting,
    misfit_of,
    verdicts_of,
)
from advisor.measure.bench import parse_bench
from advisor.measure.probe.lines import Check
from advisor.measure.rate_left import rate_share
from advisor.ranking.offer import RankedOffer
from advisor.ranking.policy import Policy
from advisor.ranking.ranking import Ranking
from tests.measure.benches import bench, document
from tests.measure.rented import CARD, UNITS, measured, ranked


def judged(
    offer: RankedOffer,
    following: RankedOffer | None,
    shares: Mapping[str, float] | None = None,
    paid_s: float = 60.0,
) -> Acceptance:
    verdicts = verdicts_of(measured(offer, shares), offer)
    return accepted(offer, following, verdicts, paid_s)


def test_a_machine_that_does_what_it_should_is_kept(long: Ranking) -> None:
    """All of its figures are compared; none is a fault."""
    came = judged(long[0], long[1])
    assert came.is_kept
    assert came.faults == ()
    assert came.rate_share == pytest.approx(1.0)
    assert came.compared == len(came.verdicts) == len(UNITS)


def test_a_card_at_half_speed_is_given_back(long: Ranking) -> None:
    """The job would take twice as long; the worst comes first."""
    shares = dict.fromkeys(CARD, 0.5) | {"gpu0.bandwidth": 0.49}
    came = judged(long[0], long[1], shares)
    assert not came.is_kept
    assert came.rate_share == pytest.approx(0.5, abs=0.03)
    assert came.faults[0].name == "gpu0.bandwidth"
    assert came.saving_usd > came.paid_usd + came.set_up_usd


def test_a_job_that_is_soon_over_stays(long: Ranking) -> None:
    """What it would save is less than another set-up."""
    short = ranked("bert-base", epochs=1, settings={"samples_per_epoch": 20_000})
    came = judged(short[0], short[1], dict.fromkeys(CARD, 0.5))
    assert came.is_kept
    assert came.faults
    assert came.saving_usd < came.paid_usd + came.set_up_usd


def test_what_was_paid_already_speaks_for_staying(long: Ranking) -> None:
    """Beside the next machine's set-up, which is not free."""
    slow = dict.fromkeys(CARD, 0.5)
    came = judged(long[0], long[1], slow)
    paid_s = 3600.0 * came.saving_usd / long[0].price_usd_per_h
    assert judged(long[0], long[1], slow, paid_s).is_kept
    assert came.paid_usd == pytest.approx(long[0].price_usd_per_h / 60.0)
    assert Prospect.of(long[1]).set_up_usd == came.set_up_usd > 0.0


def test_what_other_machines_have_cost_speaks_for_staying(long: Ranking) -> None:
    """All moves of a job together cost less than the last one promises to save."""
    verdicts = verdicts_of(measured(long[0], dict.fromkeys(CARD, 0.5)), long[0])
    came = accepted(long[0], long[1], verdicts, 60.0)
    left_usd = came.saving_usd - came.moving_usd
    for lost_usd, is_kept in ((0.99 * left_usd, False), (1.01 * left_usd, True)):
        assert accepted(long[0], long[1], verdicts, 60.0, lost_usd).is_kept is is_kept


def test_what_holds_nothing_back_costs_nothing(long: Ranking) -> None:
    """A slow disk is told; the job that does not wait for it stays."""
    came = judged(long[0], long[1], {"disk.read.random": 0.05})
    assert [one.name for one in came.faults] == ["disk.read.random"]
    assert came.is_kept
    assert came.rate_share > 0.99


def test_without_another_offer_a_slow_machine_is_kept(long: Ranking) -> None:
    """A slow training is more than none."""
    came = judged(long[0], None, dict.fromkeys(CARD, 0.3))
    assert came.is_kept
    assert math.isnan(came.saving_usd)
    assert came.document()["saving_usd"] is None


def test_fewer_cores_than_are_listed_hold_a_job_of_pictures_back(
    pictures: Ranking,
) -> None:
    """Granted or delivered: the model's input pipeline says what they are worth."""
    bound = min(pictures, key=lambda one: one.limits["cpu"])
    for name in ("cores.granted", "cores.delivered"):
        came = judged(bound, pictures[1], {name: 0.2})
        assert [one.name for one in came.faults] == [name]
        assert came.rate_share < 0.6


def test_what_another_measurement_cannot_change_is_known(long: Ranking) -> None:
    """A quota and the name of a card; a rate may be higher a moment later."""
    shares = {"cores.granted": 0.2, "cores.delivered": 0.04, "gpu0.bandwidth": 0.2}
    verdicts = verdicts_of(measured(long[0], shares), long[0])
    assert {one.name for one in verdicts if one.is_fault} == set(shares)
    stays = [one.name for one in lasting(verdicts) if one.is_fault]
    assert stays == ["cores.granted"]


def test_of_two_measurements_each_figure_is_the_better(long: Ranking) -> None:
    """What else runs on a host can only lower a rate; what one lacks the other has."""
    first = measured(long[0], {"core.zlib": 0.5, "disk.read.random": 1.2})
    second = measured(long[0], {"gpu0.launch": 0.5})
    lacking = replace(second, lines=second.lines[:-1])
    usual = measured(long[0])
    found = better_of(first, lacking)
    assert set(found.by_name) == set(usual.by_name)
    for name, line in usual.by_name.items():
        factor = 1.2 if name == "disk.read.random" else 1.0
        assert found.value(name) == pytest.approx(factor * line.value)


def test_another_card_than_was_offered_is_told(long: Ranking) -> None:
    """By its own name; it counts by what both can do."""
    found = measured(long[0], gpus=("NVIDIA GeForce RTX 3060",), memory_gb=12.9)
    verdicts = {one.name: one for one in verdicts_of(found, long[0])}
    fault = verdicts["gpu0.model"]
    assert fault.is_fault
    assert "RTX 3060" in fault.words
    assert rate_share(long[0], [fault]) < 0.6


def test_a_job_that_would_miss_its_deadline_moves(long: Ranking) -> None:
    """Although moving saves no money, where it helps; one that has time stays."""
    short = ranked("bert-base", epochs=1, settings={"samples_per_epoch": 20_000})
    verdicts = verdicts_of(measured(short[0], dict.fromkeys(CARD, 0.5)), short[0])
    here, there, training = short[0], short[1], Prospect.of(short[0])
    slow_h = here.job_h + 0.9 * training.training_h
    slow_usd = here.job_usd + 0.9 * training.training_h * here.price_usd_per_h
    assert max(here.job_h, there.job_h) + 0.01 < slow_h
    assert max(here.job_usd, there.job_usd) + 0.001 < slow_usd
    for policy, breaks, next_breaks in (
        (Policy(deadline_h=slow_h), "deadline", ""),
        (Policy(budget_usd=slow_usd), "budget", ""),
        (Policy(deadline_h=0.9 * there.job_h), "deadline", "deadline"),
        (Policy(deadline_h=1e3, budget_usd=1e3), "", ""),
    ):
        bound = replace(short, policy=policy)
        came = accepted(bound[0], bound[1], verdicts, 10.0)
        assert (came.breaks, came.next_breaks) == (breaks, next_breaks)
        assert came.is_kept is not (bool(breaks) and not next_breaks)
        assert accepted(bound[0], None, verdicts, 10.0).is_kept


ODD = (0.0, 5e-324, 1e-9, 0.5, 2.0, 64.0, 1e5)
ODD_LINES = st.dictionaries(
    st.sampled_from(
        [
            *UNITS,
            *("decode.pillow.w0", "decode.pillow.w2", f"decode.pillow.w{'9' * 40}"),
            *("gpu0.xid", "gpu0.h2d.pinned", "gpu0.pcie.gen.max", "gpu0.pcie.width.max"),
            *("gpu9.bandwidth", "allreduce.gpus0", "disk.read.sequential", "gpus"),
        ]
    ),
    st.sampled_from(ODD),
)


@given(
    lines=ODD_LINES,
    cores=st.sampled_from([None, *ODD]),
    memory_gb=st.sampled_from(ODD),
    gpus=st.lists(st.sampled_from(["", "Tesla T4", "AMD Instinct MI300X"]), max_size=3),
)
def test_whatever_a_stranger_says_is_judged(
    long: Ranking,
    lines: dict[str, float],
    cores: float | None,
    memory_gb: float,
    gpus: list[str],
) -> None:
    """Figures of nothing and of next to nothing, too; what comes of it is JSON."""
    units = {name: (value, "errors") for name, value in lines.items()}
    found = document(units, gpus=tuple(gpus), memory_gb=memory_gb)
    found["machine"]["cores"] = cores
    verdicts = verdicts_of(parse_bench(found), long[0])
    came = accepted(long[0], long[1], verdicts, 60.0)
    assert 0.0 < came.rate_share <= 1.0
    json.dumps(came.document(), allow_nan=False)


@pytest.mark.parametrize(
    ("name", "misfit"),
    [
        ("gpu1.architecture", "image_lacks_gpu"),
        ("driver", "driver_too_old"),
        ("gpu0.kernel", "gpu_error"),
        ("gpus", "gpu_error"),
        ("host.shm", None),
        ("torch", None),
    ],
)
def test_an_image_that_does_not_fit_is_no_fault_of_the_machine(
    name: str, misfit: str | None
) -> None:
    """A check that fails names the misfit; one that passes, or cannot say, names none."""
    found = bench({})
    failed = replace(found, checks=(Check(name, False, "what to do"),))
    symptom = misfit_of(failed, 1)
    assert (symptom.misfit if symptom else None) == misfit
    for ok in (True, None):
        assert misfit_of(replace(found, checks=(Check(name, ok, "x"),)), 1) is None


def test_a_gpu_that_is_missing_is_told() -> None:
    """Where it names its GPUs; a machine that names none may have no program for it."""
    two = bench({}, gpus=("NVIDIA GeForce RTX 4090",) * 2)
    symptom = misfit_of(two, 4)
    assert symptom is not None
    assert symptom.misfit == "gpu_error"
    assert "2 of 4 GPUs are there" in str(symptom)
    assert misfit_of(two, 2) is None
    assert misfit_of(bench({}, gpus=()), 4) is None


def test_what_came_of_it_is_plain_json(long: Ranking) -> None:
    """Each line with its figure, what was expected, and whether it is a fault."""
    came = judged(long[0], long[1], dict.fromkeys(CARD, 0.5))
    document = json.loads(json.dumps(came.document(), allow_nan=False))
    assert document["kept"] is False
    assert document["paid_s"] == 60.0
    lines = {one["name"]: one for one in document["lines"]}
    assert lines["gpu0.matmul.bf16"]["fault"] is True
    assert lines["gpu0.matmul.bf16"]["share"] == pytest.approx(0.5)
    assert set(lines) == set(UNITS)
