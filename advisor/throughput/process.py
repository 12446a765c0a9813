"""The Gaussian process given the benchmark table, in a form that fits a small file.

The process is a sum ``f = g + h`` of what all workloads share, g, and of what each has
for itself, h: two workloads have independent h (`advisor.throughput.kernel.SHARED_KINDS`
says which parts are whose). So the rows of *other* workloads speak of a query through g
alone, and g has few degrees of freedom: its values at m of the rows, the inducing inputs
U, give those at all others (849 of the 2,435 rows of November 2026). With X the rows, K
their covariance, noise included, and y their values less the mean, the table is stored as

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
moved. What is lost is rounding: T is stored in single precision, which it allows because
it multiplies variances of a few tenths, not the free intercepts (30) as K^-1 does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from advisor.base.arrays import FloatArray, IntArray, among, ascending
from advisor.throughput.kernel import Covariance, Inputs

_ROWS = 16
"""Rows of a matrix product that its kernel computes together; a multiple of it.

Products round rows at their edge in another way: full blocks of rows make the result for
a query the same whatever else is asked for."""


class _Rows(NamedTuple):
    """What predictions of a workload need of its k rows.

    Attributes
    ----------
    inputs : the rows
    weights : (k,) of K^-1 y
    inverse : (k, k) D^-1
    among : (k, k) K_ww
    shared : (k, m) K_gwU
    """

    inputs: Inputs
    weights: FloatArray
    inverse: FloatArray
    among: FloatArray
    shared: FloatArray


class _Rest(NamedTuple):
    """What is left of N queries beside their workload's k rows.

    Attributes
    ----------
    weights : (N, k) b
    at_rows : (N, k) k_w
    shared : (N, m) d
    """

    weights: FloatArray
    at_rows: FloatArray
    shared: FloatArray


@dataclass(frozen=True, slots=True)
class Process:
    """The process given the N rows of the table.

    Attributes
    ----------
    covariance : of the process
    mean : a priori, m
    rows : the N rows, with the labels of `PARTS` and of `OWN_PARTS`
    noise : (N,) variance of the error of each row
    weights : (N,) K^-1 y, the alpha of Rasmussen and Williams, algorithm 2.1
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

    _known: dict[bytes, _Rows] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def posterior(
        self, queries: Inputs, count: int | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """Return (N,) means, and the variances of the first `count`; None: of all."""
        first = queries.take(np.arange(len(queries) if count is None else count))
        rows = self._rows_of(queries)
        rest = self._rest(_full_blocks(first), rows)
        left = np.einsum("ij,ij->i", rest.weights @ rows.among, rest.weights)
        left -= 2.0 * np.einsum("ij,ij->i", rest.weights, rest.at_rows)
        pulled = rest.shared @ self.half_explained
        left -= 2.0 * np.einsum("ij,ij->i", pulled, rest.shared)
        return self.mean_at(queries), self.covariance.at(first) + left[: len(first)]

    def mean_at(self, queries: Inputs) -> FloatArray:
        """Return the (N,) posterior means."""
        padded, rows = _full_blocks(queries), self._rows_of(queries)
        shared = self.covariance.between(padded, self._points(), scope="shared")
        local = self.covariance.between(padded, rows.inputs, scope="local")
        mean = self.mean + shared @ self.shared_weights + local @ rows.weights
        found: FloatArray = mean[: len(queries)]
        return found

    def covariance_of(self, a: Inputs, b: Inputs) -> FloatArray:
        """Return the (N, M) posterior covariance of `a` and `b`."""
        rows = self._rows_of(a, b)
        left = self._rest(a, rows)
        right = left if b is a else self._rest(b, rows)
        half = left.shared @ self.half_explained @ right.shared.T
        other = left.shared @ self.half_explained.T @ right.shared.T
        joint: FloatArray = (
            self.covariance.between(a, b)
            - left.weights @ right.at_rows.T
            - left.at_rows @ right.weights.T
            + left.weights @ rows.among @ right.weights.T
            - half
            - other
        )
        return joint

    def _points(self) -> Inputs:
        return self.rows.take(self.inducing)

    def _rows_of(self, *several: Inputs) -> _Rows:
        """Return the rows of the workloads of queries; those of each are prepared once.

        Who predicts asks for one workload per call, so that what is stored of all of them
        comes to (N, m) numbers.
        """
        asked = ascending(np.concatenate([one.labels["workload"] for one in several]))
        at = np.flatnonzero(among(self.rows.labels["workload"], asked.tolist()))
        key = at.tobytes()
        if key not in self._known:
            self._known[key] = self._prepared(at)
        return self._known[key]

    def _prepared(self, at: IntArray) -> _Rows:
        own, between = self.rows.take(at), self.covariance.between
        local = between(own, own, own=True, scope="local") + np.diag(self.noise[at])
        inverse = np.linalg.inv(local)
        return _Rows(
            inputs=own,
            weights=self.weights[at],
            inverse=(inverse + inverse.T) / 2.0,
            among=local + between(own, own, own=True, scope="shared"),
            shared=between(own, self._points(), own=True, scope="shared"),
        )

    def _rest(self, queries: Inputs, rows: _Rows) -> _Rest:
        between = self.covariance.between
        local = between(queries, rows.inputs, scope="local")
        at_rows = local + between(queries, rows.inputs, scope="shared")
        shared = between(queries, self._points(), scope="shared")
        weights = local @ rows.inverse
        return _Rest(weights, at_rows, shared - weights @ rows.shared)


def _full_blocks(queries: Inputs) -> Inputs:
    """Return the queries, the last one again until their number is whole blocks."""
    count = len(queries)
    whole = count + -count % _ROWS
    return queries.take(np.minimum(np.arange(whole), max(count - 1, 0)))
