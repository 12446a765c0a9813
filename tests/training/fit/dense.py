"""The posterior with its whole matrix: what the artifact's small form is held against."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from advisor.base.arrays import FloatArray
from advisor.throughput.kernel import Covariance, Inputs
from advisor.training.fit.posterior import Posterior


@dataclass(frozen=True, slots=True)
class Dense:
    """What `advisor.throughput.process.Process` answers, from all rows at once.

    Attributes
    ----------
    covariance : of the process
    rows : N rows, labels in the codes that queries have
    full : their posterior
    """

    covariance: Covariance
    rows: Inputs
    full: Posterior

    def mean_at(self, queries: Inputs) -> FloatArray:
        """Return mean + k^T Q y (Rasmussen and Williams 2006, eq. 2.25)."""
        shared = self.covariance.between(queries, self.rows)
        mean: FloatArray = self.full.mean + shared @ self.full.weights
        return mean

    def covariance_of(self, a: Inputs, b: Inputs) -> FloatArray:
        """Return k(a, b) - k_a^T Q k_b (Rasmussen and Williams 2006, eq. 2.24)."""
        left = self.covariance.between(a, self.rows)
        right = self.covariance.between(b, self.rows)
        prior = self.covariance.between(a, b)
        joint: FloatArray = prior - left @ self.full.inverse @ right.T
        return joint

    def posterior(
        self, queries: Inputs, count: int | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """Return the means, and the variances of the first `count`."""
        first = queries.take(np.arange(len(queries) if count is None else count))
        return self.mean_at(queries), np.diag(self.covariance_of(first, first))
