"""The Gaussian process given the benchmark table, in a form that fits a small file.

The process is a sum ``f = g + h`` of what all workloads share, g, and of what each has
for itself, h: two workloads have independent h (`advisor.throughput.kernel.SHARED_KINDS`
says which parts are whose). So the rows of *other* workloads speak of a query through g
alone, and g has few degrees of freedom: its values at m of the rows, the inducing inputs
U, give those at all others (849 of the 2,435 rows of November 2026). With X the rows, K
their covariance, noise included, and y their values less the mean, the table is kept as

    a = K_gUU^-1 K_gUX K^-1 y                        (m,)
    T = K_gUU^-1 K_gUX K^-1 K_gXU K_gUU^-1           (m, m)

that is, given the table, g at any input has the mean ``k_g^T a`` and the covariance
``k_g(x, x') - k_g^T T k_g'`` with ``k_g`` its covariances with U (Rasmussen and Williams
2006, eq. 2.23 and 2.24, in the span of U).

h adds the rows w of the query's own workload, which are few (245 at most). With D their
covariance without g (noise included) and k_h that of the query with them, let ``b = D^-1
k_h``. No row tells of the h that is left in ``f(x) - b^T y_w``: its prior covariance less
what T explains of its shared part ``d = k_g - K_gUw b``,

    cov(x, x') = k(x, x') - b^T k_w(x') - k_w(x)^T b' + b^T K_ww b' - d^T T d'

is the posterior covariance of f. This is exact: no row is left out and no input is
moved. What is lost is rounding: T is kept in single precision, which it allows because it
multiplies variances of a few tenths, not the free levels (30) as K^-1 does.
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


class _Reach(NamedTuple):
    """What N queries share with U and with the k rows of their workloads.

    Attributes
    ----------
    shared : (N, m) prior covariance of g with U
    local, at_rows : (N, k) prior covariance with the rows, of h and of f
    rows_shared : (k, m) that of the rows with U
    rows_local, among : (k, k) of the rows, noise included, of h and of f
    """

    shared: FloatArray
    local: FloatArray
    at_rows: FloatArray
    rows_shared: FloatArray
    rows_local: FloatArray
    among: FloatArray


class _Rest(NamedTuple):
    """What the rows of its workload leave of each query.

    Attributes
    ----------
    weights : (N, k) b of the rows
    shared : (N, m) d, its covariance with g at U
    """

    weights: FloatArray
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

    def posterior(
        self, queries: Inputs, count: int | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """Return (N,) means, and the variances of the first `count`; None: of all."""
        number = len(queries) if count is None else count
        rows = self._rows_of(queries)
        reach = self._reach(_full_blocks(queries), rows)
        mean = self._mean(reach, rows)[: len(queries)]
        first = queries.take(np.arange(number))
        whole = number + -number % _ROWS
        reach = reach._replace(
            shared=reach.shared[:whole],
            local=reach.local[:whole],
            at_rows=reach.at_rows[:whole],
        )
        rest = self._rest(reach)
        left = np.einsum("ij,ij->i", rest.weights @ reach.among, rest.weights)
        left -= 2.0 * np.einsum("ij,ij->i", rest.weights, reach.at_rows)
        pulled = rest.shared @ self.half_explained
        left -= 2.0 * np.einsum("ij,ij->i", pulled, rest.shared)
        return mean, self.covariance.at(first) + left[:number]

    def mean_at(self, queries: Inputs) -> FloatArray:
        """Return the (N,) posterior means."""
        rows = self._rows_of(queries)
        return self._mean(self._reach(_full_blocks(queries), rows), rows)[: len(queries)]

    def covariance_of(self, a: Inputs, b: Inputs) -> FloatArray:
        """Return the (N, M) posterior covariance of `a` and `b`."""
        rows = np.union1d(self._rows_of(a), self._rows_of(b))
        left, right = self._reach(a, rows), self._reach(b, rows)
        of_a, of_b = self._rest(left), self._rest(right)
        half = of_a.shared @ self.half_explained @ of_b.shared.T
        other = of_a.shared @ self.half_explained.T @ of_b.shared.T
        joint: FloatArray = (
            self.covariance.between(a, b)
            - of_a.weights @ right.at_rows.T
            - left.at_rows @ of_b.weights.T
            + of_a.weights @ left.among @ of_b.weights.T
            - half
            - other
        )
        return joint

    def _rows_of(self, queries: Inputs) -> IntArray:
        """Return the positions of the rows of the workloads of the queries."""
        asked = np.unique(queries.labels["workload"])
        return np.flatnonzero(np.isin(self.rows.labels["workload"], asked))

    def _mean(self, reach: _Reach, rows: IntArray) -> FloatArray:
        of_shared = reach.shared @ self.shared_weights
        mean: FloatArray = self.mean + of_shared + reach.local @ self.weights[rows]
        return mean

    def _reach(self, queries: Inputs, rows: IntArray) -> _Reach:
        own, points = self.rows.take(rows), self.rows.take(self.inducing)
        both, count = _together(queries, own), len(queries)
        between = self.covariance.between
        shared = between(both, points, own=True, scope="shared")
        local = between(both, own, own=True, scope="local")
        local[count:] += np.diag(self.noise[rows])
        at_rows = local + between(both, own, own=True, scope="shared")
        return _Reach(
            shared=shared[:count],
            local=local[:count],
            at_rows=at_rows[:count],
            rows_shared=shared[count:],
            rows_local=local[count:],
            among=at_rows[count:],
        )

    def _rest(self, reach: _Reach) -> _Rest:
        inverse = np.linalg.inv(reach.rows_local)
        weights = reach.local @ ((inverse + inverse.T) / 2.0)
        return _Rest(weights, reach.shared - weights @ reach.rows_shared)


def _together(queries: Inputs, rows: Inputs) -> Inputs:
    """Return the queries and then the rows; a query is of no source or container."""
    nobody = np.full(len(queries), -1, dtype=np.int64)
    return Inputs(
        np.concatenate([queries.z, rows.z]),
        np.concatenate([queries.batch, rows.batch]),
        {
            kind: np.concatenate([queries.labels.get(kind, nobody), codes])
            for kind, codes in rows.labels.items()
        },
    )


def _full_blocks(queries: Inputs) -> Inputs:
    """Return the queries, the last one again until their number is whole blocks."""
    count = len(queries)
    whole = count + -count % _ROWS
    return queries.take(np.minimum(np.arange(whole), max(count - 1, 0)))
