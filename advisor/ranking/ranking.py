"""A ranking: offers in order, the best first, and why the others are left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self, overload

import numpy as np

from advisor.base.arrays import BoolArray, FloatArray, IntArray, ObjectArray
from advisor.base.assumption import Assumption
from advisor.base.errors import NothingFitsError, UsageError
from advisor.cost.bill import Bill
from advisor.cost.job import Job
from advisor.hardware.machines import Machines
from advisor.market.offers import Offers
from advisor.market.types import Answer
from advisor.ranking.offer import RankedOffer
from advisor.ranking.policy import OF_CHOICE, Policy
from advisor.ranking.rivals import Rival, Yardstick
from advisor.software.fit import SoftwareFit
from advisor.throughput.dlperf import DlperfAdjustment
from advisor.throughput.predict import Throughput
from advisor.throughput.tables import Tables
from advisor.throughput.user_runs import Calibration

if TYPE_CHECKING:
    import pandas as pd

    from advisor.ranking.ties import Comparison


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Ranking(Sequence[RankedOffer]):
    """A sequence of offers, the best first; a slice of it is a ranking, too.

    It holds arrays with one entry per offer, of N offers in an order of their own; an
    offer is looked at where it is asked for.

    Attributes
    ----------
    offers, machines, condition, throughput, software, bill : what the rooms before say
        of the same N offers, in one and the same order, which is not the ranking's
    host_need_gb : 10^9 bytes of host memory that the job needs there, shape (N,)
    start_risk : probability that the host's memory does not suffice for it, NaN where
        that is unknown, shape (N,)
    measured : what runs of the user's own say; None: there are none
    order : positions into them, the best offer first, shape (R,), R <= N; where so many
        were asked for, the best of them
    alternatives : position -> positions of offers that share its GPUs and rank lower
    rivals : yardstick -> what is first by it, also among what is left out
    unusable : why the job cannot run on an offer, ``""`` where it can, shape (N,)
    flags : name -> whether it holds, shape (N,) each
    excluded : reason -> how many of the records read are left out for it
    read : records that the market gave
    tables : hardware tables and throughput model
    job : what is to be done
    policy : how the user chooses
    assumptions : name -> figure that the answer rests on and nobody measured
    model_identity : which model predicted
    source : what the market says of its answer, without the records; None: nobody asked
        a market
    first, step : rank of the first offer of `order`, and how much further each next one
        is; other than 1 in a slice
    whole : the ranking that this is a slice of; None: it is none
    """

    offers: Offers
    machines: Machines
    adjustment: DlperfAdjustment
    measured: Calibration | None
    throughput: Throughput
    software: SoftwareFit
    host_need_gb: FloatArray
    start_risk: FloatArray
    bill: Bill
    order: IntArray
    alternatives: Mapping[int, tuple[int, ...]]
    rivals: Mapping[Yardstick, Rival]
    unusable: ObjectArray
    flags: Mapping[str, BoolArray]
    excluded: Mapping[str, int]
    read: int
    tables: Tables
    job: Job
    policy: Policy
    assumptions: Mapping[str, Assumption]
    model_identity: Mapping[str, Any]
    source: Answer | None = None
    first: int = 1
    step: int = 1
    whole: Ranking | None = None
    _comparison: list[Comparison] = field(default_factory=list, init=False)

    def __len__(self) -> int:
        return len(self.order)

    @overload
    def __getitem__(self, place: int) -> RankedOffer: ...

    @overload
    def __getitem__(self, place: slice) -> Self: ...

    def __getitem__(self, place: int | slice) -> RankedOffer | Self:
        found = range(len(self))[place]
        if isinstance(found, int):
            return self._offer(found)
        return replace(
            self,
            order=self.order[place],
            first=self.first + self.step * found.start,
            step=self.step * found.step,
            whole=self._whole,
        )

    def __iter__(self) -> Iterator[RankedOffer]:
        return map(self._offer, range(len(self)))

    def _offer(self, place: int) -> RankedOffer:
        rank = self.first + self.step * place
        return RankedOffer(self._whole, int(self.order[place]), rank)

    def __repr__(self) -> str:
        simulated = ", simulated" if self.is_simulated else ""
        market = f" of {self.source.market}{simulated}" if self.source else ""
        best = f", best {self[0]!r}" if len(self) else ""
        return (
            f"<Ranking of {self.job.workload.name}: {len(self):,} offers{market}, "
            f"{sum(self.excluded.values()):,} left out{best}>"
        )

    def _repr_html_(self) -> str:
        """Return the best offers as a table for a notebook."""
        from advisor.ranking.notebook import html_of  # noqa: PLC0415  (when it is shown)

        return html_of(self)

    @property
    def _whole(self) -> Ranking:
        # No `or`: a ranking without offers is false.
        return self if self.whole is None else self.whole

    @property
    def usable(self) -> BoolArray:
        """Which offers run the job at all, shape (N,)."""
        usable: BoolArray = self.unusable == ""
        return usable

    @property
    def is_simulated(self) -> bool:
        """Whether no such offers exist."""
        return self.source is not None and self.source.simulated

    @property
    def ranks(self) -> IntArray:
        """The rank of each offer of `order`, 1 for the best, shape (R,)."""
        return self.first + self.step * np.arange(len(self))

    @property
    def best(self) -> RankedOffer:
        """The best offer.

        Raises
        ------
        advisor.base.errors.AdvisorError
            if no offer is left: why, and what would help
        """
        if not len(self._whole):
            from advisor.ranking.refused import nothing_left  # noqa: PLC0415

            raise nothing_left(self._whole)
        return self[0]

    def find(self, offer_id: int) -> RankedOffer:
        """Return an offer that the job can run on, also where it is no choice.

        Raises
        ------
        advisor.base.errors.UsageError
            if the offer is not among those that were read and meet the constraints
        advisor.base.errors.NothingFitsError
            if the job cannot run on it, or the market is empty
        """
        whole = self._whole
        if whole.read == 0:
            from advisor.ranking.refused import nothing_left  # noqa: PLC0415

            raise nothing_left(whole)
        (places,) = np.nonzero(whole.offers.offer_id == offer_id)
        if not len(places):
            here = {*whole.unusable, *OF_CHOICE}  # those left out for it are found
            out = ", ".join(
                f"{name} {count:,}"
                for name, count in whole.excluded.items()
                if name not in here
            )
            message = (
                f"offer {offer_id} is not among the offers that meet the constraints: "
                f"it is gone{f', or left out ({out})' if out else ''}"
            )
            raise UsageError(message)
        at = int(places[0])
        (ranks,) = np.nonzero(whole.order == at)
        found = RankedOffer(whole, at, int(ranks[0]) + 1 if len(ranks) else None)
        if found.unusable:
            message = f"offer {offer_id} cannot run this job: {found.unusable}"
            raise NothingFitsError(message)
        return found

    def tie_of(self, rank: int) -> RankedOffer | None:
        """Return the better offer that the one of a rank cannot be told from.

        None where it can be told from all of them, see `advisor.ranking.ties`.
        """
        whole = self._whole
        place = whole.comparison(rank).tied_with[rank - 1]
        return None if place is None else whole[place]

    def with_ties(self) -> Iterator[tuple[RankedOffer, RankedOffer | None]]:
        """Yield each offer, and the better one that it cannot be told from, if any."""
        if len(self):
            self.comparison(int(self.ranks.max()))  # all at once
        for offer, rank in zip(self, self.ranks.tolist(), strict=True):
            yield offer, self.tie_of(rank)

    def comparison(self, count: int) -> Comparison:
        """Return how at least the best `count` of all offers compare."""
        whole = self._whole
        known = whole._comparison  # noqa: SLF001  (of this class)
        have = len(known[0]) if known else 0
        if not known or have < min(count, len(whole)):
            from advisor.ranking.ties import compare  # noqa: PLC0415  (not to rank)

            # Mostly one is asked for after the other: twice as many each time.
            known[:] = [compare(whole, max(count, 2 * have))]
        return known[0]

    def to_frame(self) -> pd.DataFrame:
        """Return the ranking as a pandas frame, one row per offer, the best first.

        The columns are `rank`, the figures of `RankedOffer` under their own names, a
        column ``limit_NAME_samples_per_s`` for each limit, `tied_with` and
        `alternatives` (ids of offers) and `flags`, the latter two joined by ``;``.

        Examples
        --------
        >>> import advisor
        >>> frame = advisor.rank("resnet50", market="sample").to_frame()
        >>> frame["rank"].head(3).to_list()
        [1, 2, 3]
        >>> bool((frame["epoch_h_low"] < frame["epoch_h"]).all())
        True
        """
        from advisor.ranking.frame import frame_of  # noqa: PLC0415  (pandas is slow)

        return frame_of(self)
