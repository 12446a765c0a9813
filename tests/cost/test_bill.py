"""The bill: dollars and hours per epoch, by hand and by their laws."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.cost.bill import TRAFFIC_USD_PER_GB_IF_UNKNOWN, Bill, Job, bill
from advisor.market.offers import parse_offers
from advisor.throughput.predict import Throughput
from advisor.workloads.load import load_workload


def throughput(rate: float) -> Throughput:
    """Return a throughput of `rate` samples/s, known to a factor of 1.25."""
    one = np.array([1])
    return Throughput(
        samples_per_s=np.array([rate]),
        low=np.array([rate / 1.25]),
        high=np.array([rate * 1.25]),
        limits={"gpu": np.array([rate])},
        bound_by=np.array(["gpu"], dtype=np.object_),
        micro_batch=one,
        accumulation_steps=one,
        fits=np.array([True]),
    )


def bill_of(record: dict[str, Any], rate: float, epochs: int, disk_gb: float) -> Bill:
    offers, _ = parse_offers([record])
    job = Job(load_workload("resnet50"), epochs, disk_gb)
    return bill(offers, throughput(rate), job)


def test_an_epoch_by_hand(record: dict[str, Any]) -> None:
    """Rent for the time of an epoch, and a tenth of the download in ten epochs."""
    workload = load_workload("resnet50")
    cost = bill_of(record, rate=1000.0, epochs=10, disk_gb=180.0)
    hours = workload.samples_per_epoch / 1000 / 3600
    price = 0.30 + 0.2 * 180 / 720  # $0.35
    traffic = 0.002 * workload.dataset_gb / 10
    assert cost.epoch_hours[0] == pytest.approx(hours)
    assert cost.usd_per_hour[0] == pytest.approx(price)
    assert cost.epoch_usd[0] == pytest.approx(price * hours + traffic)
    assert cost.epoch_usd_high[0] == pytest.approx(price * hours * 1.25 + traffic)
    assert cost.epoch_usd_low[0] == pytest.approx(price * hours / 1.25 + traffic)


def test_free_traffic_leaves_the_rent_alone(record: dict[str, Any]) -> None:
    """At a traffic price of zero an epoch costs its rent exactly."""
    cost = bill_of(record | {"inet_down_cost": 0.0}, 500.0, 1, 10.0)
    assert cost.epoch_usd[0] == cost.rent_usd[0]


def test_an_unknown_traffic_price_is_assumed_and_flagged(
    record: dict[str, Any],
) -> None:
    """Unknown is not free: the stated assumption counts, and the offer says so."""
    cost = bill_of(record | {"inet_down_cost": None}, 500.0, 1, 10.0)
    gigabytes = load_workload("resnet50").dataset_gb
    assumed = TRAFFIC_USD_PER_GB_IF_UNKNOWN.value * gigabytes
    assert cost.traffic_usd[0] == pytest.approx(assumed)
    assert cost.flags["traffic_price_assumed"].tolist() == [True]


PRICES = ("dph_base", "storage_cost", "inet_down_cost")


@pytest.mark.parametrize("field", PRICES)
@given(st.floats(0.001, 100), st.floats(0.001, 100))
def test_a_higher_price_never_makes_an_epoch_cheaper(
    field: str, one: float, other: float
) -> None:
    """The cost of an epoch does not fall when any price rises."""
    fixed = {"id": 1, "num_gpus": 1, **dict.fromkeys(PRICES, 0.5)}
    low, high = (
        bill_of(fixed | {field: price}, 100.0, 3, 50.0).epoch_usd[0]
        for price in sorted((one, other))
    )
    assert math.isfinite(low)
    assert low <= high
