"""What a job meets on each offer before money: prices, sizes, speeds as hours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from advisor.base.arrays import BoolArray, FloatArray
from advisor.base.columns import Columns
from advisor.base.units import MB_PER_GB, MBIT_PER_GB, SECONDS_PER_HOUR
from advisor.cost.job import Job
from advisor.hardware.machines import Machines
from advisor.market.offers import HOURS_PER_MONTH, Offers


@dataclass(frozen=True, slots=True)
class Terms(Columns):
    """Prices ($) and times (hours) of one job on N offers; all arrays have shape (N,).

    Attributes
    ----------
    gpu_usd_per_h : price of the GPU part while the machine runs, $/h
    storage_usd_per_h : price of the job's disk as long as it exists, $/h; assumed where
        the offer names none (see `flags`)
    download_usd_per_gb, upload_usd_per_gb : traffic prices, $/GB
    pull_h : rent to running: pull of the image and boot; bills storage alone
    begin_h : running to first step: data set, start of the process; with it what the
        first epoch takes longer where the data exceed the memory
    download_h : of the data set, a part of `begin_h`
    start_h : running to first step, without what the first epoch takes longer
    resume_h : restart on the same machine: process, checkpoint, an empty page cache
    move_h : restart on another one: data set and checkpoint
    write_h : to write one checkpoint
    send_h : to send one checkpoint home
    image_gb, dataset_gb, checkpoint_gb : 10^9 bytes on the wire
    stands_h : how long the offer still stands, infinite where it does not say
    flags : what is assumed, name -> shape (N,)
    """

    gpu_usd_per_h: FloatArray
    storage_usd_per_h: FloatArray
    download_usd_per_gb: FloatArray
    upload_usd_per_gb: FloatArray
    pull_h: FloatArray
    begin_h: FloatArray
    download_h: FloatArray
    start_h: FloatArray
    resume_h: FloatArray
    move_h: FloatArray
    write_h: FloatArray
    send_h: FloatArray
    image_gb: float
    dataset_gb: float
    checkpoint_gb: float
    stands_h: FloatArray
    flags: dict[str, BoolArray]


def terms(
    offers: Offers, machines: Machines, cold_epoch_h: FloatArray, job: Job
) -> Terms:
    """Return the terms of `job` on each offer, at its price on demand or reserved.

    Parameters
    ----------
    offers, machines : the same N
    cold_epoch_h : hours that an epoch takes longer when all data come from the disk,
        shape (N,)
    job : what is to be done
    """
    assumed, workload = job.assumptions, job.workload
    gpu_price, storage_price, price_flags = _hourly(offers, job)
    down, down_assumed = _known(
        offers.inet_down_usd_per_gb, assumed.traffic_usd_per_gb_if_unknown
    )
    up, up_assumed = _known(
        offers.inet_up_usd_per_gb, assumed.traffic_usd_per_gb_if_unknown
    )
    mbit_s, speed_assumed = _known(
        offers.inet_down_mbit_s, assumed.inet_mbit_s_if_unknown
    )
    up_mbit_s, up_speed_assumed = _known(
        offers.inet_up_mbit_s, assumed.inet_mbit_s_if_unknown
    )
    delivered = np.minimum(mbit_s * assumed.delivered_share, assumed.download_cap_mbit_s)
    pulled = np.minimum(mbit_s * assumed.delivered_share, assumed.pull_cap_mbit_s)
    sent = np.minimum(up_mbit_s * assumed.delivered_share, assumed.download_cap_mbit_s)
    image_gb = workload.image_gb / assumed.image_compression
    disk_mb_s = np.where(
        np.isnan(offers.disk_bw_mb_s),
        assumed.checkpoint_mb_s_if_unknown,
        offers.disk_bw_mb_s * assumed.checkpoint_disk_share,
    )
    read_h = workload.checkpoint_gb * MB_PER_GB / disk_mb_s / SECONDS_PER_HOUR
    download_h = _hours(workload.stored_gb, delivered)
    start_h = np.full(len(offers), assumed.start_s / SECONDS_PER_HOUR)
    exceeds = workload.stored_gb > np.nan_to_num(machines.ram_gb)
    cold_h = np.where(exceeds, cold_epoch_h, 0.0)
    return Terms(
        gpu_usd_per_h=gpu_price,
        storage_usd_per_h=storage_price,
        download_usd_per_gb=down,
        upload_usd_per_gb=up,
        pull_h=_hours(image_gb, pulled) + assumed.boot_s / SECONDS_PER_HOUR,
        begin_h=download_h + start_h + cold_h,
        download_h=download_h,
        start_h=download_h + start_h,
        resume_h=start_h + read_h + cold_epoch_h,
        move_h=download_h + start_h + cold_h + _hours(workload.checkpoint_gb, delivered),
        write_h=read_h + assumed.checkpoint_stop_s / SECONDS_PER_HOUR,
        send_h=_hours(workload.checkpoint_gb, sent),
        image_gb=image_gb,
        dataset_gb=workload.stored_gb,
        checkpoint_gb=workload.checkpoint_gb,
        stands_h=np.nan_to_num(offers.duration_s / SECONDS_PER_HOUR, nan=np.inf),
        flags={
            **price_flags,
            "traffic_price_assumed": down_assumed | up_assumed,
            "bandwidth_assumed": speed_assumed | up_speed_assumed,
            "reliability_unknown": np.isnan(offers.reliability),
            "duration_unknown": np.isnan(offers.duration_s),
        },
    )


def listed_usd_per_h(offers: Offers) -> FloatArray:
    """Return the price of the GPU part on demand, $/h, shape (N,).

    That of `dph_total` where an offer does not tell its parts, with the disk of a search
    in it.
    """
    listed: FloatArray = np.where(
        np.isnan(offers.dph_base), offers.dph_total, offers.dph_base
    )
    return listed


def _hourly(
    offers: Offers, job: Job
) -> tuple[FloatArray, FloatArray, dict[str, BoolArray]]:
    """Return the GPU part and the storage of the job's disk in $/h, and flags.

    The market's identity is ``dph_total = dph_base + storage_cost x GB / 720``. A price
    of the disk that is not named is assumed, so that no offer is cheaper for hiding it.
    """
    gpu = listed_usd_per_h(offers)
    per_gb_month, assumed = _known(
        offers.storage_usd_per_gb_month,
        job.assumptions.storage_usd_per_gb_month_if_unknown,
    )
    storage = per_gb_month * job.disk_gb / HOURS_PER_MONTH
    flags = {"storage_price_assumed": assumed}
    if job.rental != "interruptible":  # a bid takes the place of the listed price
        flags["disk_not_repriced"] = np.isnan(offers.dph_base)
    if job.rental == "reserved":
        discount = np.maximum(offers.dph_total - offers.discounted_dph_total, 0.0)
        flags["no_reserved_discount"] = ~(discount > 0.0)
        gpu = np.maximum(gpu - np.nan_to_num(discount), 0.0)
    return gpu, storage, flags


def _known(value: FloatArray, otherwise: float) -> tuple[FloatArray, BoolArray]:
    unknown = np.isnan(value)
    return np.where(unknown, otherwise, value), unknown


def _hours(gigabytes: float, mbit_s: FloatArray) -> FloatArray:
    hours: FloatArray = gigabytes * MBIT_PER_GB / mbit_s / SECONDS_PER_HOUR
    return hours
