"""What was seen not to run rules out what is like it, and nothing else."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

import advisor
from advisor.ranking.offer import RankedOffer
from advisor.rental.misfits import Misfits, misfits_of
from advisor.software.misfit import MISFITS, Misfit
from advisor.store.misfits import MisfitRecord
from tests.rental.steps.conftest import NOW, Shop

OF_THE_JOB = ("host_ram_too_small", "gpu_memory_too_small")


@pytest.fixture(scope="module")
def candidate() -> RankedOffer:
    """Return an offer whose machine has an id."""
    offers = advisor.rank("resnet50", market="sample", epochs=2)
    return next(one for one in offers if one.machine_id is not None and one.image)


def seen(candidate: RankedOffer, misfit: Misfit, **changes: Any) -> Misfits:
    """Return what knows that a machine like the candidate's could not run a job."""
    kept: list[MisfitRecord] = []
    known = Misfits("plain", "job", lambda: NOW, kept.append)
    known.add(misfit, candidate)
    assert kept == known.seen
    known.seen[0] = replace(kept[0], **changes)
    return known


@pytest.mark.parametrize("misfit", MISFITS)
def test_the_same_machine_is_not_rented_again_for_the_job(
    candidate: RankedOffer, misfit: Misfit
) -> None:
    """With another image it may do, unless it has too little memory."""
    for machine in ({}, {"ram_gb": 0.0, "gpu_memory_gb": 0.0}):
        assert not seen(candidate, misfit, **machine).allow(candidate)
    assert not seen(candidate, misfit, image="").allow(candidate)
    other = seen(candidate, misfit, image="another")
    assert other.allow(candidate) is (misfit not in OF_THE_JOB)


@pytest.mark.parametrize("misfit", MISFITS)
def test_another_job_is_kept_from_the_same_machine_image_and_driver(
    candidate: RankedOffer, misfit: Misfit
) -> None:
    """How much memory the other one needs says nothing of this one."""
    assert seen(candidate, misfit, job="other").allow(candidate) is (misfit in OF_THE_JOB)
    for changes in ({"driver": 1.0}, {"image": "another"}, {"machine_id": 10**9}):
        assert seen(candidate, misfit, job="other", **changes).allow(candidate)


@pytest.mark.parametrize(
    ("misfit", "changes", "allowed"),
    [
        ("gpu_error", {}, True),
        ("image_lacks_gpu", {}, False),
        ("image_lacks_gpu", {"image": "another"}, True),
        ("image_lacks_gpu", {"gpu_name": "another"}, False),  # of the same kind
        ("image_lacks_gpu", {"capability": 1.0}, False),  # of the same name
        ("image_lacks_gpu", {"gpu_name": "another", "capability": 1.0}, True),
        ("driver_too_old", {}, False),
        ("driver_too_old", {"driver": 1e9}, False),
        ("driver_too_old", {"driver": 0.0}, True),
        ("driver_too_old", {"image": "another"}, True),
        ("image_lacks_python", {}, False),
        ("image_lacks_python", {"cpu_arch": "another"}, True),
        ("image_lacks_python", {"image": "another"}, True),
        ("cpu_arch", {}, False),
        ("cpu_arch", {"cpu_arch": "another"}, True),
        ("cpu_arch", {"image": "another"}, True),
        ("host_ram_too_small", {}, False),
        ("host_ram_too_small", {"image": "another"}, False),
        ("host_ram_too_small", {"ram_gb": 0.1}, True),
        ("gpu_memory_too_small", {}, False),
        ("gpu_memory_too_small", {"gpu_memory_gb": 0.1}, True),
    ],
)
def test_a_machine_that_lacks_the_same_is_not_rented_for_the_job(
    candidate: RankedOffer, misfit: Misfit, changes: dict[str, Any], allowed: bool
) -> None:
    """Another one that has it is; for another job all of them are."""
    elsewhere = {"machine_id": 10**9, **changes}
    assert seen(candidate, misfit, **elsewhere).allow(candidate) is allowed
    assert seen(candidate, misfit, job="other", **elsewhere).allow(candidate)


def test_machines_without_an_id_are_not_the_same(candidate: RankedOffer) -> None:
    """Nobody knows whether they are; only one's likeness counts."""
    assert seen(candidate, "gpu_error", machine_id=-1).allow(candidate)


def test_drivers_that_nobody_knows_are_the_same(candidate: RankedOffer) -> None:
    """The machine is."""
    known = seen(candidate, "driver_too_old", job="other", driver=math.nan)
    driver = candidate.ranking.software.hosts.driver[candidate.at]
    assert known.allow(candidate) is not math.isnan(driver)


def test_what_was_seen_is_remembered(shop: Shop, candidate: RankedOffer) -> None:
    """For a job that goes on as its own, for one that begins as another's."""
    first = misfits_of(shop.context, "job", begins=True)
    assert first.seen == []
    first.add("gpu_memory_too_small", candidate)
    entry = shop.write("working", machine_id=12)
    first.add_machine("gpu_error", entry)
    again = misfits_of(shop.context, "job", begins=False)
    assert [one.job for one in again.seen] == ["job", "job"]
    assert [one.machine_id for one in again.seen] == [candidate.machine_id, 12]
    assert not again.allow(candidate)
    anew = misfits_of(shop.context, "job", begins=True)
    assert {one.job for one in anew.seen} == {""}
    assert anew.allow(candidate)
