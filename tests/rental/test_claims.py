"""Rentals of one process at the same time do not stand in each other's way."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

pytest.importorskip("uvicorn", reason="the extra 'simulator' is not installed")

from advisor.app.job import JobSpec
from advisor.app.plan import plan
from advisor.app.rent import RentSpec
from advisor.rental.claims import Claims
from advisor.rental.release import release
from advisor.rental.rent import renting
from tests.rental.conftest import Street

JOB = JobSpec(workload="resnet50", epochs=2, settings=(("dataset_gb", 1),))


def test_each_of_several_rentals_gets_an_offer_of_its_own(street: Street) -> None:
    """At its first attempt, though all find the same offer best."""
    spec = RentSpec(job=JOB, name="many", attempts=1)
    planned = plan(street.context(), spec, wait_for_ssh=False, goes_on=True)
    claims = Claims()
    all_have_one = threading.Barrier(6)

    def rent(_: int) -> int:
        with claims.of_one() as may_try:
            request = replace(planned.request, may_try=may_try)
            with renting(planned.rental_context, request) as rental:
                all_have_one.wait(60.0)
                release(planned.rental_context, rental.entry, "the test is over")
                return rental.chosen.offer_id

    with ThreadPoolExecutor(6) as threads:
        assert len(set(threads.map(rent, range(6)))) == 6


def test_an_offer_is_free_again_once_it_was_tried(street: Street) -> None:
    """And its own rental may try it again, as after a market that was busy."""
    planned = plan(street.context(), RentSpec(job=JOB), wait_for_ssh=False)
    context = planned.rental_context
    offer = planned.request.rank(context.search(planned.request.query))[0]
    claims = Claims()
    with claims.of_one() as first, claims.of_one() as second:
        assert first(offer)
        assert first(offer)
        assert not second(offer)
    with claims.of_one() as third:
        assert third(offer)
