"""Which offers a user's constraints leave, and why the others are left out.

A constraint that was not given never drops an offer. One that was given drops
an offer whose figure is unknown with the reason ``unknown_<field>``: a user who
asks for 99 % reliability does not want to hear of a machine that may have 50 %.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from advisor.base.arrays import BoolArray, FloatArray, distinct
from advisor.base.units import MIB_PER_GIB
from advisor.market.columns import record_id
from advisor.market.conditions import sifted, unmet
from advisor.market.offers import Offers, parse_offers
from advisor.market.places import State, states_in
from advisor.market.types import Condition, Record

_SHOWN_LESS = 0.07
"""Share by which the memory that a GPU shows may be below the one it is sold with: up
to 6.3 % where ECC takes its part (L4, A10, L40S: 23,028 of 24,576 MB), 6.7 % on a B200
(published offers of June to September 2026)."""


@dataclass(frozen=True, slots=True)
class Filters:
    """Constraints on offers; `None` and empty mean "not given".

    Attributes
    ----------
    gpu_names : the market's spellings of the GPUs that will do
    num_gpus : GPUs in the offer that will do
    min_reliability : least market reliability, 0 to 1
    max_usd_per_hour : highest price with `disk_gb` of disk, $/h
    countries, states : 2-letter countries, and parts of countries, any of which will do
    verified : True for offers that the market has verified
    min_duration_s : seconds that the offer must still stand
    excluded_gpus : the market's spellings of the GPUs that will not do
    min_host_ram_mb, min_gpu_ram_mb : least memory of the offer's share of the host, and
        of each GPU, MB
    datacenter : True for offers in data centers
    where : conditions in the market's query language
    blocked_machines, blocked_hosts : ids that the user wants no offer of
    allowed_machines : ids that stay although their host is blocked
    """

    gpu_names: frozenset[str] | None = None
    num_gpus: frozenset[int] = frozenset()
    min_reliability: float | None = None
    max_usd_per_hour: float | None = None
    countries: frozenset[str] = frozenset()
    states: frozenset[State] = frozenset()
    verified: bool | None = None
    min_duration_s: float | None = None
    excluded_gpus: frozenset[str] = frozenset()
    min_host_ram_mb: float | None = None
    min_gpu_ram_mb: float | None = None
    datacenter: bool | None = None
    where: tuple[Condition, ...] = ()
    blocked_machines: frozenset[int] = frozenset()
    blocked_hosts: frozenset[int] = frozenset()
    allowed_machines: frozenset[int] = frozenset()


def least_gpu_ram_mb(nominal_gb: float) -> float:
    """Return the least MB that a market shows of a GPU sold with `nominal_gb` GB."""
    return nominal_gb * MIB_PER_GIB * (1.0 - _SHOWN_LESS)


def offers_meeting(
    records: Iterable[Any], filters: Filters, disk_gb: float
) -> tuple[Offers, BoolArray, Counter[str]]:
    """Parse records, and say which of their offers stay.

    The records are looked at once: a stream of them is never in memory whole.

    Returns
    -------
    offers : N offers
    keep : which of them stay, shape (N,)
    left_out : why the other records leave, reason -> count; each counts once, and the
        conditions in the market's words are looked at first
    """
    left_out: Counter[str] = Counter()
    met = records  # as they come where there is no condition: rows are read faster
    if filters.where:
        met = sifted(records, filters.where, disk_gb, left_out)
    offers, unparsed = parse_offers(met)
    keep, excluded = apply_filters(offers, filters, disk_gb)
    return offers, keep, left_out + unparsed + excluded


def apply_filters(
    offers: Offers, filters: Filters, disk_gb: float
) -> tuple[BoolArray, Counter[str]]:
    """Return which offers stay, and how many leave for which first reason.

    Parameters
    ----------
    offers : N offers
    filters : the user's constraints, but for those on records (`Filters.where`)
    disk_gb : GB of disk that the job needs; an offer known to have less leaves

    Returns
    -------
    keep : mask, shape (N,)
    excluded : reason -> count; an offer counts once, under the first reason
    """
    keep = np.ones(len(offers), dtype=bool)
    excluded: Counter[str] = Counter()
    for reason, out in _reasons(offers, filters, disk_gb):
        dropped = keep & out
        excluded[reason] += int(np.sum(dropped))
        keep &= ~out
    return keep, +excluded


def matching_records(
    records: Sequence[Record], filters: Filters, disk_gb: float
) -> tuple[list[Record], dict[str, int]]:
    """Return the records whose offers stay, as they came, and why others leave."""
    left_out: Counter[str] = Counter()
    met = list(sifted(records, filters.where, disk_gb, left_out))
    offers, keep, excluded = offers_meeting(met, replace(filters, where=()), disk_gb)
    ids = set(offers.offer_id[keep].tolist())
    matched = [record for record in met if record_id(record) in ids]
    return matched, dict(sorted((left_out + excluded).items()))


def why_left_out(record: Record, filters: Filters, disk_gb: float) -> list[str]:
    """Return every reason why one offer leaves, in words; none where it stays."""
    from advisor.market.where import explained  # noqa: PLC0415  (mostly nothing is)

    reasons = [explained(*one) for one in unmet(record, filters.where, disk_gb)]
    offers, unparsed = parse_offers([record])
    out = [name for name, out in _reasons(offers, filters, disk_gb) if out.any()]
    return [*reasons, *unparsed, *out]


def _reasons(
    offers: Offers, filters: Filters, disk_gb: float
) -> Iterator[tuple[str, BoolArray]]:
    """Yield each reason to leave with the offers that it holds for."""
    yield "not_rentable", ~offers.rentable
    if filters.blocked_machines or filters.blocked_hosts:
        of_machine = np.isin(offers.machine_id, list(filters.blocked_machines))
        of_host = np.isin(offers.host_id, list(filters.blocked_hosts))
        allowed = np.isin(offers.machine_id, list(filters.allowed_machines))
        yield "blocked", of_machine | (of_host & ~allowed)
    with np.errstate(invalid="ignore"):
        yield "disk_too_small", offers.disk_space_gb < disk_gb
    if filters.gpu_names is not None:
        yield "unknown_gpu_name", offers.gpu_name == ""
        names = filters.gpu_names | {""}
        yield "gpu", np.array([name not in names for name in offers.gpu_name], dtype=bool)
    if filters.excluded_gpus:
        yield "unknown_gpu_name", offers.gpu_name == ""
        barred = filters.excluded_gpus
        named = np.array([name in barred for name in offers.gpu_name], dtype=bool)
        yield "gpu_excluded", named
    if filters.num_gpus:
        yield "num_gpus", ~np.isin(offers.num_gpus, sorted(filters.num_gpus))
    if filters.verified:
        yield "unknown_verification", offers.verification == ""
        yield "not_verified", ~np.isin(offers.verification, ("", "verified"))
    if filters.datacenter:
        yield "unknown_hosting_type", np.isnan(offers.hosting_type)
        yield (
            "not_datacenter",
            np.nan_to_num(offers.hosting_type, nan=1.0) != 1,
        )
    if filters.countries or filters.states:
        yield "unknown_geolocation", offers.country == ""
        yield "region", ~_stand_in(offers, filters.countries, filters.states)
    price = offers.usd_per_hour(disk_gb)
    yield from _bound("reliability", offers.reliability, at_least=filters.min_reliability)
    yield from _bound("price", price, at_most=filters.max_usd_per_hour)
    yield from _bound("duration", offers.duration_s, at_least=filters.min_duration_s)
    yield from _bound("host_ram", offers.cpu_ram_mb, at_least=filters.min_host_ram_mb)
    yield from _bound("gpu_ram", offers.gpu_ram_mb, at_least=filters.min_gpu_ram_mb)


def _stand_in(
    offers: Offers, countries: frozenset[str], states: frozenset[State]
) -> BoolArray:
    """Return which offers are in one of the places, or nobody knows where."""
    where, code = distinct(
        zip(offers.country.tolist(), offers.geolocation.tolist(), strict=True)
    )
    within = [
        country in countries
        or country == ""
        or not states.isdisjoint(states_in(geolocation, country))
        for country, geolocation in where
    ]
    return np.array(within, dtype=bool)[code]


def _bound(
    field: str,
    values: FloatArray,
    at_least: float | None = None,
    at_most: float | None = None,
) -> Iterator[tuple[str, BoolArray]]:
    """Yield the reasons of one bound on one number, if it was given."""
    if at_least is None and at_most is None:
        return
    yield f"unknown_{field}", np.isnan(values)
    with np.errstate(invalid="ignore"):
        if at_least is not None:
            yield field, values < at_least
        if at_most is not None:
            yield field, values > at_most
