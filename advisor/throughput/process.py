"""The Gaussian process given the benchmark table, in a form that fits a small file.

The process is a sum ``f = g + h`` of what all workloads share, g, and of what each has
for itself, h: two workloads have independent h (`advisor.throughput.kernel.SHARED_KINDS`
says which parts are whose). So the rows of *other* workloads speak of a query through g
alone, and of g there are few values: the m = 849 inputs U of the table at which g is a
basis of g at every row. With K the covariance of all rows, noise included, y their values
less the mean, and X the rows, the table is kept as

    a = K_gUU^-1 K_gUX K^-1 y                        (m,)
    T = K_gUU^-1 K_gUX K^-1 K_gXU K_gUU^-1           (m, m)

that is, given the table, g at any input has the mean ``k_g^T a`` and the covariance
``k_g(x, x') - k_g^T T k_g'`` with ``k_g`` its covariances with U (Rasmussen and Williams
2006, eq. 2.23 and 2.24, in the span of U).

h adds the rows w of the query's own workload, which are few: at most 245. With D their
covariance without g (noise included) and k_h that of the query with them, let ``b = D^-1
k_h``. Then ``f(x) - b^T y_w`` has nothing of h left that a row tells of: its prior
covariance less what T tells of its shared part ``d = k_g - K_gUw b``,

    cov(x, x') = k(x, x') - b^T k_w(x') - k_w(x)^T b' + b^T K_ww b' - d^T T d'

is the posterior covariance of f. This is exact: no row is left out and no input is
moved. The rest is rounding: T is kept in single precision, as it multiplies variances of
at most a few tenths, not the free levels (30) that a factor of K^-1 multiplies.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from advisor.base.arrays import FloatArray, IntArray
from advisor.throughput.kernel import Covariance, Inputs

_ROWS = 16
"""Rows of a matrix product that its kernel computes together; a multiple of it.

Products round rows at their edge in another way: full blocks of rows make the result for
a query the same whatever else is asked for."""


class _Told(NamedTuple):
    """What N queries get from the k rows of their workloads and from U.

    Attributes
    ----------
    local : (N, k) weights b of the rows
    at_rows : (N, k) prior covariance with the rows
    shared : (N, m) covariance d of what is left with g at U
    """

    local: FloatArray
    at_rows: FloatArray
    shared: FloatArray


@dataclass(frozen=True, slots=True)
class Process:
    """The process given the N rows of the table.

    Attributes
    ----------
    covariance : of the process
    mean : a priori
    rows : the N rows, with the labels of `PARTS` and of `OWN_PARTS`
    noise : (N,) variance of the error of each row
    weights : (N,) K^-1 y
    inducing : (m,) positions of U among the rows
    shared_weights : (m,) a
    half_explained : (m, m) upper triangle H, half the diagonal: H + H^T is T
    """

    covariance: Covariance
    mean: float
    rows: Inputs
    noise: FloatArray
    weights: FloatArray
    inducing: IntArray
    shared_weights: FloatArray
    half_explained: FloatArray

    def mean_at(self, queries: Inputs) -> FloatArray:
        """Return the (N,) posterior means."""
        padded = _full_blocks(queries)
        of_workload = self._rows_of(queries)
        local = self.covariance.between(
            padded, self.rows.take(of_workload), scope="local"
        )
        shared = self.covariance.between(padded, self._points(), scope="shared")
        mean: FloatArray = (
            self.mean + shared @ self.shared_weights + local @ self.weights[of_workload]
        )
        return mean[: len(queries)]

    def variance_at(self, queries: Inputs) -> FloatArray:
        """Return the (N,) posterior variances."""
        padded, of_workload = _full_blocks(queries), self._rows_of(queries)
        told = self._told(padded, of_workload)
        of_rows = self._among(of_workload)
        variance = (
            self.covariance.at(padded)
            - 2.0 * np.einsum("ij,ij->i", told.local, told.at_rows)
            + np.einsum("ij,ij->i", told.local @ of_rows, told.local)
            - 2.0 * np.einsum("ij,ij->i", told.shared @ self.half_explained, told.shared)
        )
        found: FloatArray = variance[: len(queries)]
        return found

    def covariance_of(self, a: Inputs, b: Inputs) -> FloatArray:
        """Return the (N, M) posterior covariance of `a` and `b`."""
        of_workload = np.union1d(self._rows_of(a), self._rows_of(b))
        left, right = self._told(a, of_workload), self._told(b, of_workload)
        half = left.shared @ self.half_explained @ right.shared.T
        other = left.shared @ self.half_explained.T @ right.shared.T
        joint: FloatArray = (
            self.covariance.between(a, b)
            - left.local @ right.at_rows.T
            - left.at_rows @ right.local.T
            + left.local @ self._among(of_workload) @ right.local.T
            - half
            - other
        )
        return joint

    def _points(self) -> Inputs:
        return self.rows.take(self.inducing)

    def _rows_of(self, queries: Inputs) -> IntArray:
        """Return the positions of the rows of the workloads of the queries."""
        asked = np.unique(queries.labels["workload"])
        return np.flatnonzero(np.isin(self.rows.labels["workload"], asked))

    def _among(self, rows: IntArray) -> FloatArray:
        """Return the covariance of rows, noise included."""
        own = self.rows.take(rows)
        among = self.covariance.between(own, own, own=True)
        return among + np.diag(self.noise[rows])

    def _told(self, queries: Inputs, rows: IntArray) -> _Told:
        own, points = self.rows.take(rows), self._points()
        between = self.covariance.between
        local = between(queries, own, scope="local")
        without_g = between(own, own, own=True, scope="local")
        inverse = np.linalg.inv(without_g + np.diag(self.noise[rows]))
        weights = local @ ((inverse + inverse.T) / 2.0)
        shared = between(queries, points, scope="shared")
        of_rows = between(own, points, own=True, scope="shared")
        return _Told(
            local=weights,
            at_rows=local + between(queries, own, scope="shared"),
            shared=shared - weights @ of_rows,
        )


def _full_blocks(queries: Inputs) -> Inputs:
    """Return the queries, the last one again until their number is whole blocks."""
    count = len(queries)
    whole = count + -count % _ROWS
    return queries.take(np.minimum(np.arange(whole), max(count - 1, 0)))
