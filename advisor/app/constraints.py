"""Which offers will do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from advisor.app.documents import arguments_of
from advisor.app.settle import settle
from advisor.base.errors import ArgumentError, Given, UsageError
from advisor.base.units import MIB_PER_GB
from advisor.cost.job import Rental
from advisor.hardware.gpus import GpuTable
from advisor.hardware.names import gpu_key
from advisor.market.filters import Filters, least_gpu_ram_mb
from advisor.market.places import places_of
from advisor.market.types import Condition, Query, Record
from advisor.rental import arguments

"""Megabytes of host memory in a gigabyte, as the market counts."""

_MOST_GPUS = 10_000


@dataclass(frozen=True, slots=True)
class Constraints:
    """What an offer must have; nothing is asked for by default.

    Attributes
    ----------
    gpus, exclude_gpus : GPUs or families that will do, and that will not; `gpus` empty:
        any
    num_gpus : numbers of GPUs that will do; empty: any
    min_reliability : least reliability, 0 to 1
    max_usd_per_hour : highest price with the disk that the job needs, $/h
    regions : regions, countries or states that will do; empty: any
    verified : True: only verified machines
    min_duration_s : seconds that the offer must still stand
    min_ram_gb, min_vram_gb : least memory of the host's share and of each GPU, GB
    datacenter : only machines in data centers
    where : conditions in the market's query language, all of which must hold

    Raises
    ------
    UsageError
        if a value cannot be right, or two contradict each other
    """

    gpus: tuple[str, ...] = ()
    num_gpus: tuple[int, ...] = ()
    min_reliability: float | None = None
    max_usd_per_hour: float | None = None
    regions: tuple[str, ...] = ()
    verified: bool | None = None
    min_duration_s: float | None = None
    exclude_gpus: tuple[str, ...] = ()
    min_ram_gb: float | None = None
    min_vram_gb: float | None = None
    datacenter: bool = False
    where: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check all of it."""
        settle(self, arguments.names, "gpus", "exclude_gpus", "regions", "where")
        settle(self, arguments.counts, "num_gpus", most=_MOST_GPUS)
        settle(self, arguments.share, "min_reliability", may_lack=True)
        settle(
            self, arguments.above_zero, "max_usd_per_hour", unit="dollars", may_lack=True
        )
        memory = ("min_ram_gb", "min_vram_gb")
        settle(self, arguments.above_zero, *memory, unit="gigabytes", may_lack=True)
        settle(self, arguments.seconds, "min_duration_s", may_lack=True)
        settle(self, arguments.flag, "verified", may_lack=True)
        settle(self, arguments.flag, "datacenter")
        if {*map(gpu_key, self.gpus)} & {*map(gpu_key, self.exclude_gpus)}:
            raise ArgumentError(
                *(Given("gpus"), " and ", Given("exclude_gpus"), " of the same GPU "),
                "contradict each other: leave one out",
            )
        places_of(self.regions)
        if self.where:
            from advisor.market.where import parse_where  # noqa: PLC0415  (start-up)

            parse_where(self.where)

    @classmethod
    def from_document(cls, document: object) -> Self:
        """Return what a document's part holds; see `advisor.app.documents`."""
        return cls(**arguments_of(cls, document))

    def listed_max_price(self, rental: Rental) -> float | None:
        """Return the highest price, where it is the price that the market lists."""
        return self.max_usd_per_hour if rental == "on-demand" else None

    def query(
        self, gpus: GpuTable, disk_gb: float, rental: Rental = "on-demand"
    ) -> Query:
        """Return what the market is asked."""
        return Query(
            gpu_names=_market_names(gpus, self.gpus),
            num_gpus=self.num_gpus,
            min_reliability=self.min_reliability,
            max_usd_per_hour=self.listed_max_price(rental),
            verified=self.verified or None,
            min_duration_s=self.min_duration_s,
            disk_gb=disk_gb,
            conditions=(*self._where(gpus), *self._short_forms(gpus)),
        )

    def filters(
        self,
        gpus: GpuTable,
        records: Sequence[Record],
        rental: Rental = "on-demand",
    ) -> Filters:
        """Return what is checked again on each offer that came.

        The records are looked at only where GPUs or fields are named.

        Raises
        ------
        UsageError
            if a GPU or a field is neither known nor among the offers
        """
        names = frozenset[str]()
        if self.gpus or self.exclude_gpus:
            names = frozenset(
                name for one in records if isinstance(name := one.get("gpu_name"), str)
            )
        places = places_of(self.regions)
        return Filters(
            gpu_names=gpus.select(self.gpus, names) if self.gpus else None,
            num_gpus=frozenset(self.num_gpus),
            min_reliability=self.min_reliability,
            max_usd_per_hour=self.listed_max_price(rental),
            countries=places.countries,
            states=places.states,
            verified=self.verified or None,
            min_duration_s=self.min_duration_s,
            excluded_gpus=gpus.select(self.exclude_gpus, names),
            min_host_ram_mb=self.min_ram_gb and self.min_ram_gb * MIB_PER_GB,
            min_gpu_ram_mb=self.min_vram_gb and least_gpu_ram_mb(self.min_vram_gb),
            datacenter=self.datacenter or None,
            where=self._where(gpus, records),
        )

    def slips(self, gpus: GpuTable, records: Sequence[Record]) -> Iterator[str]:
        """Yield where a condition names a GPU by a name that no offer and no table has.

        The language compares whole names, so that a slip leaves out all or nothing.
        """
        conditions = [one for one in self._where(gpus) if one.field == "gpu_name"]
        if not conditions:
            return
        from advisor.market.reading import reader_of  # noqa: PLC0415  (start-up)
        from advisor.market.values import renamed  # noqa: PLC0415
        from advisor.market.where import unlisted_gpus  # noqa: PLC0415

        read = reader_of("gpu_name")
        names = {read(renamed(one)) for one in records if isinstance(one, Mapping)}
        listed = {name for name in names if isinstance(name, str)}
        for name in unlisted_gpus(conditions, listed):
            near = [one.replace(" ", "_") for one in gpus.nearest(name, listed)]
            if name.replace(" ", "_") in near:  # it is known, and not for rent now
                continue
            hint = f"did you mean {', '.join(near)}?" if near else "see 'advisor gpus'"
            yield f"where: no offer has gpu_name {name.replace(' ', '_')!r}: {hint}"

    def _where(
        self, gpus: GpuTable, records: Sequence[Record] | None = None
    ) -> tuple[Condition, ...]:
        """Return the conditions; with `records` of fields that are known there."""
        if not self.where:
            return ()
        from advisor.market.where import (  # noqa: PLC0415  (start-up)
            check_fields,
            parse_where,
            spelled,
        )

        conditions = parse_where(self.where)
        if records is not None:
            check_fields(conditions, records)
        return spelled(conditions, gpus.market_names())

    def _short_forms(self, gpus: GpuTable) -> Iterator[Condition]:
        """Yield what the short options ask for as conditions that a market is sent."""
        if excluded := _market_names(gpus, self.exclude_gpus):
            yield Condition("gpu_name", "notin", excluded)
        if self.min_ram_gb is not None:
            yield Condition("cpu_ram", "gte", self.min_ram_gb * MIB_PER_GB)
        if self.min_vram_gb is not None:
            yield Condition("gpu_ram", "gte", least_gpu_ram_mb(self.min_vram_gb))
        if self.datacenter:
            yield Condition("datacenter", "eq", True)


def _market_names(gpus: GpuTable, asked: Sequence[str]) -> tuple[str, ...]:
    """Return the market's spellings of GPUs; none if one is in no table.

    Such a name may still be among the offers: then all are asked for.
    """
    try:
        return tuple(sorted(gpus.select(asked, gpus.market_names())))
    except UsageError:
        return ()
