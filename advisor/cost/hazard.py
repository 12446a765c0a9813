"""How often a machine fails, and how often a bid loses its GPUs: rates and priors.

Both are known to a factor at best, so each is a discrete prior of few points: a bounded
one, since the expected cost under an unbounded rate diverges.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from advisor.base.arrays import FloatArray

if TYPE_CHECKING:
    from advisor.cost.assumptions import Assumptions
    from advisor.market.offers import Offers

# The two priors: powers of the stated band (`failure_band`, `preemption_band`) and how
# likely each is. Both bands are assumptions, and so are these symmetric weights.
_FAILURE_POWERS = (-1.0, -0.5, 0.0, 0.5, 1.0)
_FAILURE_WEIGHTS = (0.1, 0.2, 0.4, 0.2, 0.1)
_BID_POWERS = (-1.0, 0.0, 1.0)
_BID_WEIGHTS = (0.25, 0.5, 0.25)


@dataclass(frozen=True, slots=True)
class Prior:
    """Factors on a rate, and how likely each is; both have shape (K,)."""

    factors: FloatArray
    weights: FloatArray

    @property
    def mean(self) -> float:
        """Expected factor."""
        return float(self.factors @ self.weights)

    def times(self, other: Prior) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return the pairs of two independent priors: both factors and the weight.

        Shapes (K, 1, 1), (K, 1, 1) and (K,), to go before the axes of what they scale.
        """
        pairs = np.meshgrid(self.factors, other.factors, indexing="ij")
        mine, others = (factors.reshape(-1, 1, 1) for factors in pairs)
        return mine, others, np.outer(self.weights, other.weights).ravel()


CERTAIN = Prior(np.ones(1), np.ones(1))
"""The prior of what is known."""


def failure_prior(assumed: Assumptions) -> Prior:
    """Return the prior of the failure rate, as factors on `failures_per_h`."""
    factors = assumed.failure_band ** np.array(_FAILURE_POWERS)
    return Prior(factors, np.array(_FAILURE_WEIGHTS))


def failures_per_h(offers: Offers, assumed: Assumptions) -> FloatArray:
    """Return failures an hour of each offer's machine, shape (N,): the one place.

    The market's reliability score r is taken for availability, r = MTBF / (MTBF +
    MTTR), so that the rate is (1 - r) / (r x MTTR): an assumption, since the score also
    counts failed starts and weighs earnings. The GPUs' own failures come on top.
    """
    score = offers.reliability
    score = np.where(np.isnan(score), assumed.reliability_if_unknown, score)
    score = np.maximum(score, assumed.least_reliability)
    of_host = (1.0 - score) / (score * assumed.repair_h)
    rate: FloatArray = of_host + offers.num_gpus * assumed.gpu_failures_per_h
    return rate


@dataclass(frozen=True, slots=True)
class BidHazard:
    """How often a running bid loses its GPUs.

    Attributes
    ----------
    ratios : bid over the least bid, rising from 1, shape (J,)
    per_h : losses an hour at each, falling, shape (J,); straight lines between them,
        the last beyond
    gpus_exponent : losses grow as the offer's GPUs to this power
    band : factor either way, in a prior of three points
    source : where it comes from
    """

    ratios: FloatArray
    per_h: FloatArray
    gpus_exponent: float
    band: float
    source: str

    @classmethod
    def assumed(cls, assumed: Assumptions) -> Self:
        """Return the stated prior: nobody published the market's rate."""
        ratios = np.linspace(1.0, 4.0, 61)
        outbid = assumed.preemptions_per_h * np.exp(
            -assumed.preemption_decay * (ratios - 1.0)
        )
        return cls(
            ratios,
            outbid + assumed.preemption_floor_per_h,
            assumed.preemption_gpus_exponent,
            assumed.preemption_band,
            "assumption",
        )

    def updated(
        self, ratios: FloatArray, events: FloatArray, exposure_h: FloatArray
    ) -> BidHazard:
        """Return the hazard given what recorded snapshots show of bids.

        The prior counts as one loss: a gamma prior of shape 1, whose posterior mean is
        (1 + events) / (1 / prior + exposure). The band shrinks with the root of the
        losses seen.

        Parameters
        ----------
        ratios : bid over least bid, rising, shape (M,)
        events : losses seen at each, shape (M,)
        exposure_h : hours that bids stood, of as many of one GPU, shape (M,)
        """
        prior = self.per_hour(ratios, np.ones_like(ratios))
        with np.errstate(divide="ignore"):
            mean = (1.0 + events) / (1.0 / prior + exposure_h)
        falling = np.minimum.accumulate(mean)
        shrunk = self.band ** (1.0 / math.sqrt(1.0 + float(np.min(events))))
        hours = float(np.max(exposure_h, initial=0.0))
        source = (
            f"{hours:,.0f} hours of one GPU in recorded snapshots, and the stated prior"
        )
        return BidHazard(ratios, falling, self.gpus_exponent, shrunk, source)

    def per_hour(self, ratio: FloatArray, num_gpus: FloatArray) -> FloatArray:
        """Return losses an hour of bids of `ratio` times the least, any shape."""
        of_one = np.interp(ratio, self.ratios, self.per_h)
        rate: FloatArray = of_one * num_gpus**self.gpus_exponent
        return rate

    @property
    def prior(self) -> Prior:
        """The prior of the rate, as factors on `per_hour`."""
        return Prior(self.band ** np.array(_BID_POWERS), np.array(_BID_WEIGHTS))
