"""The bill of a job on each offer, in hours and dollars per epoch.

An epoch costs the hourly price, with the disk that the job needs, times the
hours of an epoch, plus the data set's download spread over the job's epochs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from advisor.arrays import BoolArray, FloatArray
from advisor.market.offers import Offers
from advisor.throughput.predict import Throughput
from advisor.workloads.profile import Workload

SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Assumption:
    """A figure that the answer rests on and that nobody measured for it.

    Attributes
    ----------
    value : the figure
    unit : its unit, ``""`` for a plain number
    source : where it comes from
    """

    value: float
    unit: str
    source: str


TRAFFIC_USD_PER_GB_IF_UNKNOWN = Assumption(
    0.0052,
    "$/GB",
    "assumption where an offer names no traffic price: the median of the download "
    "prices of 51 Vast.ai offers of June to September 2026",
)


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be done: a workload for so many epochs, with so much disk.

    Attributes
    ----------
    workload : the profile
    epochs : epochs that the data set's download is spread over, at least 1
    disk_gb : GB of disk rented for the whole job
    """

    workload: Workload
    epochs: int
    disk_gb: float


@dataclass(frozen=True, slots=True)
class Bill:
    """What an epoch costs on N offers; all arrays have shape (N,).

    Attributes
    ----------
    usd_per_hour : price with the job's disk, $/h
    epoch_hours, epoch_hours_low, epoch_hours_high : time per epoch and its 90 %
        interval, h
    rent_usd : rent of an epoch, $
    traffic_usd : an epoch's share of the data set's download, $
    epoch_usd, epoch_usd_low, epoch_usd_high : $ per epoch and its 90 % interval
    flags : ``disk_not_repriced`` where the price is for the disk that was
        searched for; ``traffic_price_assumed`` where the offer names none
    """

    usd_per_hour: FloatArray
    epoch_hours: FloatArray
    epoch_hours_low: FloatArray
    epoch_hours_high: FloatArray
    rent_usd: FloatArray
    traffic_usd: FloatArray
    epoch_usd: FloatArray
    epoch_usd_low: FloatArray
    epoch_usd_high: FloatArray
    flags: Mapping[str, BoolArray]


def bill(offers: Offers, throughput: Throughput, job: Job) -> Bill:
    """Return what an epoch of `job` costs on each offer."""
    usd_per_hour, not_repriced = offers.usd_per_hour(job.disk_gb)
    price_unknown = np.isnan(offers.inet_down_usd_per_gb)
    usd_per_gb = np.where(
        price_unknown,
        TRAFFIC_USD_PER_GB_IF_UNKNOWN.value,
        offers.inet_down_usd_per_gb,
    )
    traffic = usd_per_gb * job.workload.dataset_gb / job.epochs
    samples = job.workload.samples_per_epoch
    hours, hours_low, hours_high = (
        samples / rate / SECONDS_PER_HOUR
        for rate in (throughput.samples_per_s, throughput.high, throughput.low)
    )
    return Bill(
        usd_per_hour=usd_per_hour,
        epoch_hours=hours,
        epoch_hours_low=hours_low,
        epoch_hours_high=hours_high,
        rent_usd=usd_per_hour * hours,
        traffic_usd=traffic,
        epoch_usd=usd_per_hour * hours + traffic,
        epoch_usd_low=usd_per_hour * hours_low + traffic,
        epoch_usd_high=usd_per_hour * hours_high + traffic,
        flags={
            "disk_not_repriced": not_repriced,
            "traffic_price_assumed": price_unknown,
        },
    )
