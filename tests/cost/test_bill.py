"""The bill: dollars and hours line by line, by hand, by limits and by laws."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.cost.assumptions import Assumptions
from advisor.cost.bill import Bill
from advisor.cost.expected import Starts
from advisor.cost.job import Rental
from advisor.market.offers import parse_offers
from advisor.workloads.load import load_workload

BillOf = Callable[..., Bill]
SEARCHED_GB = 5.0  # the market's default, which all these searches were for
PARTS = ("dph_base", "storage_cost", "dph_total")
RESNET50 = load_workload("resnet50")
HOURS = 10 * RESNET50.samples_per_epoch / 1000 / 3600


def lines(cost: Bill) -> dict[str, float]:
    names = cost.job.__dataclass_fields__
    return {name: float(getattr(cost.job, name)[0]) for name in names}


def test_a_calm_job_by_hand(
    bill_of: BillOf, calm: dict[str, float], record: dict[str, Any]
) -> None:
    """Without failures the bill is what anyone can add up."""
    perfect = record | {"reliability": 1.0, "disk_bw": 2000.0}
    cost = bill_of(perfect, assumed=calm)
    down = 800 * 0.6 / 8000  # GB/s, of the advertised 800 Mbit/s
    pull = (19.2 / 1.86 / down + 75) / 3600
    begin = (144 / down + 60) / 3600
    checkpoint = (0.204 / 1.0 + 5) / 3600
    send = 0.204 / (500 * 0.6 / 8000) / 3600
    running = begin + HOURS + checkpoint + send
    found = lines(cost)
    # An average over weights that add up to one but for rounding.
    assert found["checkpoints"] == pytest.approx(1.0)
    assert found["pull_h"] == pytest.approx(pull)
    assert found["begin_h"] == pytest.approx(begin)
    assert found["training_h"] == pytest.approx(HOURS)
    assert found["checkpoint_h"] == pytest.approx(checkpoint)
    assert found["send_h"] == pytest.approx(send)
    assert found["repeated_h"] == 0.0
    assert found["rent_usd"] == pytest.approx(0.30 * running)
    assert found["storage_usd"] == pytest.approx(0.2 * 180 / 720 * (running + pull))
    assert found["download_usd"] == pytest.approx(0.002 * (144 + 19.2 / 1.86))
    assert found["upload_usd"] == pytest.approx(0.004 * 0.204)
    assert cost.job_hours[0] == pytest.approx(pull + running)
    assert cost.epoch_usd[0] == pytest.approx(cost.job_usd[0] / 10)
    assert cost.epoch_usd_low[0] == pytest.approx(cost.epoch_usd[0])
    assert cost.epoch_usd_high[0] == pytest.approx(cost.epoch_usd[0])


def test_every_term_goes_to_its_limit(
    bill_of: BillOf, calm: dict[str, float], record: dict[str, Any]
) -> None:
    """Endless bandwidth, free traffic and disk, no failure: training alone is left."""
    nothing = dict.fromkeys(("boot_s", "start_s", "checkpoint_stop_s"), 0.0)
    endless = {"download_cap_mbit_s": 1e12, "pull_cap_mbit_s": 1e12}
    perfect = {
        **record,
        **dict.fromkeys(("inet_down_cost", "inet_up_cost", "storage_cost"), 0.0),
        **dict.fromkeys(("inet_down", "inet_up", "disk_bw"), 1e12),
        "reliability": 1.0,
    }
    cost = bill_of(perfect, assumed={**calm, **nothing, **endless}, disk_gb=1e-9)
    assert cost.job_usd[0] == pytest.approx(0.30 * HOURS, rel=1e-6)
    assert cost.job_hours[0] == pytest.approx(HOURS, rel=1e-6)
    found = lines(cost)
    for name in ("repeated_h", "offline_h", "paused_h", "storage_usd", "failures"):
        assert found[name] == 0.0
    assert found["download_usd"] == found["upload_usd"] == found["moves"] == 0.0


def test_loading_bills_storage_and_no_rent(
    bill_of: BillOf, calm: dict[str, float], record: dict[str, Any]
) -> None:
    """A slow image costs wall time and disk, not rent."""
    quick, slow = (
        bill_of(record, assumed=calm | {"pull_cap_mbit_s": cap}) for cap in (660.0, 10.0)
    )
    assert slow.job_hours[0] > quick.job_hours[0] + 1.0
    assert slow.job.rent_usd[0] == pytest.approx(quick.job.rent_usd[0], rel=1e-3)
    assert slow.job.storage_usd[0] > quick.job.storage_usd[0]


def test_the_first_epoch_is_slower_where_data_exceed_memory(
    bill_of: BillOf, calm: dict[str, float], record: dict[str, Any]
) -> None:
    """A cold page cache costs the difference once, and nothing where the data fit."""
    perfect = record | {"reliability": 1.0}
    small, large = (
        bill_of(perfect | {"cpu_ram": ram}, cold=500.0, assumed=calm)
        for ram in (64_000, 256_000)
    )
    extra = HOURS / 10
    assert small.job.begin_h[0] - large.job.begin_h[0] == pytest.approx(extra)


def test_a_less_reliable_machine_costs_more(
    bill_of: BillOf, record: dict[str, Any]
) -> None:
    """Failures, lost work and time rise as the score falls; below 0.9 nothing changes."""
    scores = (1.0, 0.999, 0.99, 0.95, 0.9, 0.6)
    bills = [bill_of(record | {"reliability": score}, epochs=90) for score in scores]
    costs = [float(cost.job_usd[0]) for cost in bills]
    assert costs[:-1] == sorted(costs[:-1])
    assert costs[-1] == pytest.approx(costs[-2])
    assert bills[2].job.failures[0] > 5 * bills[1].job.failures[0]


def test_a_start_that_may_fail_costs_its_retries(
    bill_of: BillOf, calm: dict[str, float], record: dict[str, Any]
) -> None:
    """Where one failed start is expected it is paid for up to its first step."""
    perfect = record | {"reliability": 1.0}
    sure = bill_of(perfect, assumed=calm)
    risky = bill_of(perfect, assumed=calm, starts=Starts(failed=1.0))
    start_h = float(risky.terms.start_h[0])
    assert sure.job.failed_starts[0] == sure.job.failed_h[0] == 0.0
    assert risky.job.failed_starts[0] == pytest.approx(1.0)
    assert risky.job.failed_h[0] == pytest.approx(start_h)
    rent = float(risky.job.rent_usd[0] - sure.job.rent_usd[0])
    assert rent == pytest.approx(float(risky.terms.gpu_usd_per_h[0]) * start_h)
    assert risky.job.pull_h[0] == pytest.approx(2.0 * float(sure.job.pull_h[0]))
    terms = risky.terms
    again_usd = float(terms.download_usd_per_gb[0]) * (terms.dataset_gb + terms.image_gb)
    traffic = float(risky.job.download_usd[0] - sure.job.download_usd[0])
    assert traffic == pytest.approx(again_usd)


def test_a_riskier_start_never_costs_less(
    bill_of: BillOf, record: dict[str, Any]
) -> None:
    """Dollars and hours rise with the starts that are expected to fail."""
    bills = [
        bill_of(record, starts=Starts(failed=some)) for some in (0.0, 0.01, 0.1, 0.5, 3.0)
    ]
    dollars = [float(one.job_usd[0]) for one in bills]
    hours = [float(one.job_hours[0]) for one in bills]
    assert dollars == sorted(set(dollars))
    assert hours == sorted(set(hours))


def test_an_unknown_score_is_assumed_and_flagged(
    bill_of: BillOf, record: dict[str, Any]
) -> None:
    """Unknown is not perfect."""
    told = bill_of(record | {"reliability": 0.999})
    silent = bill_of(record | {"reliability": None})
    assert silent.flags["reliability_unknown"].tolist() == [True]
    assert silent.job_usd[0] > told.job_usd[0]


def test_an_unknown_traffic_price_is_assumed_and_flagged(
    bill_of: BillOf, calm: dict[str, float], record: dict[str, Any]
) -> None:
    """Unknown is not free: the stated assumption counts, and the offer says so."""
    cost = bill_of(record | {"inet_down_cost": None, "reliability": 1.0}, assumed=calm)
    price = Assumptions().traffic_usd_per_gb_if_unknown
    assert cost.job.download_usd[0] == pytest.approx(price * (144 + 19.2 / 1.86))
    assert cost.flags["traffic_price_assumed"].tolist() == [True]


def test_an_offer_that_ends_early_costs_a_move(
    bill_of: BillOf, record: dict[str, Any]
) -> None:
    """The job goes on elsewhere: more hours, data and image again, and a flag."""
    long, short = (
        bill_of(record | {"duration": seconds, "reliability": 1.0}, epochs=90)
        for seconds in (1e9, 20 * 3600.0)
    )
    assert long.planned_moves[0] == 0
    assert short.planned_moves[0] == pytest.approx(1.0)
    assert short.flags["forced_move"].tolist() == [True]
    assert short.job_usd[0] > long.job_usd[0]
    again = float(short.job.download_usd[0] / long.job.download_usd[0])
    assert again == pytest.approx(2.0, rel=0.05)


def test_a_job_that_may_take_longer_may_outlive_its_offer(
    bill_of: BillOf, record: dict[str, Any]
) -> None:
    """A slow draw of the throughput moves, a quick one does not: some of both is paid."""
    stands = record | {"duration": 50 * 3600.0, "reliability": 1.0}
    sure, unsure = (bill_of(stands, epochs=90, spread=one) for one in (1.0, 3.0))
    assert sure.planned_moves[0] == 0.0
    assert not sure.flags["forced_move"][0]
    assert 0.1 < unsure.planned_moves[0] < 1.0
    assert unsure.job.moves[0] >= unsure.planned_moves[0]
    for_good = bill_of(record | {"reliability": 1.0}, epochs=90, spread=3.0)
    assert unsure.job_usd[0] > for_good.job_usd[0]
    assert unsure.lease_h[0] == pytest.approx(sure.lease_h[0], rel=0.01)


def test_an_offer_that_ends_at_once_is_hopeless(
    bill_of: BillOf, record: dict[str, Any]
) -> None:
    """Too short for the data and one checkpoint: it is said, not costed as nothing."""
    cost = bill_of(record | {"duration": 600.0})
    assert cost.ends_too_soon.tolist() == [True]


def test_a_reserved_offer_has_its_discount(
    bill_of: BillOf, record: dict[str, Any]
) -> None:
    """Paying ahead lowers the GPU part by what the offer says, else it is flagged."""
    total = record["dph_total"]
    cost = bill_of(
        record | {"discounted_dph_total": total - 0.1},
        record | {"id": 102},
        rental="reserved",
    )
    assert cost.usd_per_hour[1] - cost.usd_per_hour[0] == pytest.approx(0.1)
    assert cost.flags["no_reserved_discount"].tolist() == [False, True]


def test_a_wider_throughput_is_a_wider_and_dearer_job(
    bill_of: BillOf, record: dict[str, Any]
) -> None:
    """A job twice as long costs more than one half as long saves."""
    sure, unsure = (bill_of(record, spread=spread) for spread in (1.01, 2.0))
    assert unsure.epoch_usd[0] > sure.epoch_usd[0]
    width = [float(b.epoch_usd_high[0] / b.epoch_usd_low[0]) for b in (sure, unsure)]
    assert width[1] > width[0] > 1.0


def test_the_expectation_over_the_throughput(
    bill_of: BillOf, calm: dict[str, float], record: dict[str, Any]
) -> None:
    """For a lognormal rate it is the middle times exp(variance / 2)."""
    sd = math.log(2.0) / 1.6448536269514722
    cost = bill_of(record | {"reliability": 1.0}, spread=2.0, assumed=calm)
    hours = HOURS * math.exp(sd**2 / 2)
    assert cost.job.training_h[0] == pytest.approx(hours, rel=2e-4)


@pytest.mark.parametrize("q", [0.05, 0.25, 0.75, 0.95])
def test_quantiles_rise_and_meet_the_interval(
    bill_of: BillOf, record: dict[str, Any], q: float
) -> None:
    """A higher quantile is never cheaper; the 5 and 95 % ones bound the interval."""
    cost = bill_of(record, spread=1.5)
    assert cost.quantile(q)[0] <= cost.quantile(min(q + 0.04, 0.99))[0]
    if q in (0.05, 0.95):
        bound = cost.epoch_usd_low if q < 0.5 else cost.epoch_usd_high
        assert cost.quantile(q)[0] == pytest.approx(bound[0], rel=1e-9)


PRICES = ("dph_base", "storage_cost", "inet_down_cost", "inet_up_cost", "min_bid")


PAID = [
    *(("on-demand", price) for price in PRICES),
    # With a bid the price on demand is not paid: it only ends the bids that are tried.
    *(("interruptible", price) for price in PRICES if price != "dph_base"),
]


@pytest.mark.parametrize(("rental", "field"), PAID)
@given(one=st.floats(0.001, 2.0), other=st.floats(0.001, 2.0))
@settings(max_examples=25)
def test_a_higher_price_never_makes_an_epoch_cheaper(
    bill_of: BillOf,
    plain_record: dict[str, Any],
    rental: Any,
    field: str,
    one: float,
    other: float,
) -> None:
    """The cost of an epoch does not fall when any price that is paid rises."""
    records = [
        {**plain_record, "dph_base": 5.0, field: price, "id": at}
        for at, price in enumerate(sorted((one, other)), 1)
    ]
    # The plan is the best one only about: 0.1 % stands for what it misses.
    low, high = bill_of(*records, rental=rental).epoch_usd
    assert math.isfinite(low)
    assert low <= high * 1.001


@pytest.mark.parametrize("rental", ["on-demand", "interruptible", "reserved"])
def test_an_offer_is_no_cheaper_for_hiding_the_price_of_its_disk(
    bill_of: BillOf, record: dict[str, Any], rental: Rental
) -> None:
    """What it does not name is assumed and flagged, however the machine is paid.

    An offer without the GPU's part of the price is taken for the whole one.
    """
    usual = record | {"storage_cost": 0.2}  # the figure that is assumed
    hidden = [{"storage_cost": None}, {"dph_base": None}]
    records = [usual | more | {"id": at} for at, more in enumerate([{}, *hidden], 1)]
    cost = bill_of(*records, rental=rental)
    assert cost.flags["storage_price_assumed"].tolist() == [False, True, False]
    if rental != "interruptible":
        assert cost.flags["disk_not_repriced"].tolist() == [False, False, True]
    assert cost.terms.storage_usd_per_h == pytest.approx(0.2 * 180.0 / 720.0)
    assert cost.epoch_usd[1] == pytest.approx(cost.epoch_usd[0], rel=1e-12)
    assert cost.epoch_usd[2] >= cost.epoch_usd[0] * (1.0 - 1e-4)  # bids are of a grid


def test_synthetic_data_are_neither_downloaded_nor_stored(
    bill_of: BillOf, record: dict[str, Any]
) -> None:
    """They are made where the training runs."""
    made = replace(load_workload("resnet50"), loader="synthetic")
    assert made.disk_gb == pytest.approx(
        load_workload("resnet50").disk_gb - made.dataset_gb
    )
    real, synthetic = (bill_of(record, workload=one) for one in ("resnet50", made))
    assert synthetic.terms.dataset_gb == synthetic.terms.download_h[0] == 0.0
    assert real.terms.download_h[0] > 0.0


def test_each_gpu_takes_as_many_samples_as_the_others(
    bill_of: BillOf, record: dict[str, Any]
) -> None:
    """20 samples on 8 GPUs are dealt out as 24; on one, two and four they are 20."""
    small = replace(load_workload("resnet50"), samples_per_epoch=20.0)
    records = [record | {"id": n, "num_gpus": n} for n in (1, 2, 4, 8)]
    cost = bill_of(*records, workload=small, rate=1.0)
    assert (3600.0 * cost.epoch_hours).tolist() == pytest.approx([20, 20, 20, 24])


@given(one=st.floats(5.0, 5000.0), other=st.floats(5.0, 5000.0))
@settings(max_examples=25)
def test_a_faster_link_never_costs_more(
    bill_of: BillOf, plain_record: dict[str, Any], one: float, other: float
) -> None:
    """Neither dollars nor hours rise with the bandwidth of a link."""
    slow, fast = sorted((one, other))
    cost = bill_of(
        *({**plain_record, "inet_down": slow, "id": 1},),
        *({**plain_record, "inet_down": fast, "id": 2},),
    )
    assert cost.job_usd[1] <= cost.job_usd[0] * (1 + 1e-12)
    assert cost.job_hours[1] <= cost.job_hours[0] * (1 + 1e-12)


def test_the_price_of_real_offers_is_reproduced(real_data: Path) -> None:
    """`dph_total` of every offer that has its parts is met to the cent for its disk."""
    checked = 0
    for path in sorted((real_data / "offers").glob("*.json")):
        document = json.loads(path.read_text())
        rows = document["offers"] if isinstance(document, dict) else document
        for row in rows:
            if any(row.get(key) is None for key in PARTS):
                continue
            offers, _ = parse_offers([row])
            price = offers.usd_per_hour(SEARCHED_GB)
            assert price[0] == pytest.approx(row["dph_total"], abs=0.0005)
            checked += 1
    assert checked >= 49


def test_nothing_is_nan_for_a_market_of_oddities(
    bill_of: BillOf, record: dict[str, Any]
) -> None:
    """Whatever an offer leaves out, its bill is a number and says what it assumed."""
    fields = (
        *("inet_down", "inet_up", "disk_bw", "reliability", "duration", "cpu_ram"),
        *("inet_down_cost", "inet_up_cost", "storage_cost", "min_bid"),
    )
    records = [record | {"id": at, field: None} for at, field in enumerate(fields, 1)]
    cost = bill_of(*records)
    for values in (cost.epoch_usd, cost.epoch_usd_low, cost.epoch_usd_high):
        assert np.all(np.isfinite(values))
    flagged = np.stack(list(cost.flags.values())).any(axis=0)
    silent = {"disk_bw", "cpu_ram", "min_bid"}  # flagged in other rooms
    assert [f for f, on in zip(fields, flagged, strict=True) if not on] == [
        field for field in fields if field in silent
    ]
