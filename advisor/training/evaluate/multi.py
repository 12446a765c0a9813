"""How wrong the efficiency of several GPUs is on what the fit has not seen.

**What is evaluated** (`advisor.training.fit.pairs`): NVIDIA cards on 2 to 8 GPUs beside
the same series, workload, precision and batch on one. What is left out has a reason,
each is counted, and ``with_excluded`` is the score with those of one reason in it, as
far as they can be predicted.

**Splits.** ``gpu``: all pairs of one GPU model are held out, in turn. ``workload``: all
of one workload. ``pair``: the pairs of GPU and workload are dealt into ten folds. No
split shows the host: its effect, which the fit knows, is not used in a prediction.

**Nested.** For each fold the shrinkage is chosen, and the spread estimated, on the
remaining pairs alone. Not nested is the form: effects of families and frameworks, a power
of the exchange, losses of each workload, the bound on links without peer-to-peer, lighter
tails and other weights were compared on these splits; without the bound the mean error on
eight GPUs stayed within 18 to 20 % (``gpu``), 18 to 21 % (``workload``) and 15 to 17 %
(``pair``), and the form is not the best on each.

**Baselines.** ``linear``: n GPUs are n times as fast. ``constant``: the median
efficiency of the training pairs with that number of GPUs.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from advisor.base.arrays import BoolArray, FloatArray, IntArray
from advisor.base.parallel import each
from advisor.base.progress import Progress, quiet
from advisor.throughput.scaling import CLASSES, KINDS
from advisor.throughput.spread import Spread
from advisor.training.evaluate.metrics import Compared, metrics
from advisor.training.fit.pairs import Pairs, scaling_pairs
from advisor.training.fit.scaling import fit, folds_of, predict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from advisor.hardware.gpus import Gpu
    from advisor.training.fit.benchmarks import Benchmarks

COUNTS = (2, 4, 8)
"""Numbers of GPUs that are reported apart."""

PAIR_FOLDS = 10


def evaluate_multi(
    benchmarks: Benchmarks, gpus: Mapping[str, Gpu], progress: Progress = quiet
) -> dict[str, Any]:
    """Hold out, refit, predict.

    Returns
    -------
    ``splits.<split>`` : ``all``, ``2``, ``4``, ``8`` (GPUs), ``pcie``, ``pcie-p2p``,
        ``sxm`` (class), each with ``mape``, ``median_ape``, ``p90_ape``,
        ``coverage90`` (fractions) and ``n``
    ``with_excluded.<split>.<reason>`` : the same with the pairs left out for it
    ``baselines.<split>`` : ``linear`` and ``constant``, the same without coverage
    ``excluded`` : reason -> pairs
    ``compared.<split>`` : `Compared` of each evaluated pair
    """
    pairs = scaling_pairs(benchmarks, gpus)
    reasons, counts = np.unique(pairs.left_out[~pairs.evaluated], return_counts=True)
    pairs = pairs.select(pairs.predictable)
    result: dict[str, Any] = {
        "splits": {},
        "with_excluded": {},
        "baselines": {},
        "excluded": dict(zip(reasons.tolist(), counts.tolist(), strict=True)),
        "compared": {},
    }
    folds_by = {split: outer_folds(pairs, split) for split in KINDS}
    shares = nested(pairs, folds_by, progress)
    for split, folds in folds_by.items():
        share, spread = shares[split]
        constant = constant_share(pairs, folds)
        error = np.log(share / pairs.efficiency)
        side = np.where(error > 0.0, spread.fall, spread.rise)  # where the measured lies
        result["splits"][split] = summaries(pairs, error, side)
        result["compared"][split] = Compared.of(
            "share of linear scaling",
            pairs.efficiency,
            np.where(pairs.evaluated, error, np.nan),
        )
        result["with_excluded"][split] = {
            reason: summaries(taken_in, error, side)
            for reason, taken_in in with_excluded(pairs).items()
        }
        result["baselines"][split] = {
            "linear": summaries(pairs, -np.log(pairs.efficiency)),
            "constant": summaries(pairs, np.log(constant / pairs.efficiency)),
        }
    return result


def outer_folds(pairs: Pairs, split: str) -> IntArray:
    """Return the (N,) fold of each pair: one per GPU or workload, ten of pairs."""
    if split == "pair":
        return folds_of(pairs, split, PAIR_FOLDS)
    names = {"gpu": pairs.gpu, "workload": pairs.workload}[split]
    return np.unique(names, return_inverse=True)[1]


def nested(
    pairs: Pairs, folds_by: Mapping[str, IntArray], progress: Progress = quiet
) -> dict[str, tuple[FloatArray, Spread]]:
    """Return split -> (N,) efficiency and its spread, each fold's by a fit without it.

    Only evaluated pairs train the fit; those that are left out are predicted all the
    same.

    Parameters
    ----------
    pairs : N pairs
    folds_by : split -> (N,) what is held out together
    progress : see `advisor.base.parallel`
    """
    places = [
        (split, np.flatnonzero(folds == fold))
        for split, folds in folds_by.items()
        for fold in np.unique(folds)
    ]
    tasks = [(pairs, out) for _, out in places]
    found = {}
    for split in folds_by:
        share, fall, rise = np.empty((3, len(pairs)))
        found[split] = (share, Spread(fall, rise))
    answers = each("holding out several GPUs", held_out_pairs, tasks, progress)
    for (split, out), (share, spread) in zip(places, answers, strict=True):
        found[split][0][out] = share
        for side, values in zip(found[split][1], spread, strict=True):
            side[out] = values
    return found


def held_out_pairs(pairs: Pairs, out: IntArray) -> tuple[FloatArray, Spread]:
    """Return the efficiency of the pairs at `out` and its spread, by the other pairs."""
    training = pairs.evaluated
    training[out] = False
    return predict(fit(pairs.select(training)), pairs.select(out))


def constant_share(pairs: Pairs, folds: IntArray) -> FloatArray:
    """Return the (N,) median efficiency with that many GPUs outside the fold."""
    share = np.ones(len(pairs))
    for fold in np.unique(folds):
        for number in np.unique(pairs.num_gpus[folds == fold]):
            same = pairs.num_gpus == number
            training = same & (folds != fold) & pairs.evaluated
            if training.any():
                share[same & (folds == fold)] = np.median(pairs.efficiency[training])
    return share


def with_excluded(pairs: Pairs) -> dict[str, Pairs]:
    """Return reason -> all pairs, those left out for it counted as evaluated."""
    reasons = np.unique(pairs.left_out[~pairs.evaluated])
    reason_of = pairs.left_out
    return {
        str(r): replace(pairs, left_out=np.where(reason_of == r, "", reason_of))
        for r in reasons
    }


def summaries(
    pairs: Pairs, error: FloatArray, spread: FloatArray | None = None
) -> dict[str, dict[str, float]]:
    """Return the errors of the evaluated pairs: all, by number of GPUs, by class."""
    groups: dict[str, BoolArray] = {"all": np.ones(len(pairs), dtype=bool)}
    groups |= {str(number): pairs.num_gpus == number for number in COUNTS}
    groups |= {name: pairs.interconnect == name for name in CLASSES}
    result = {}
    for name, group in groups.items():
        here = pairs.evaluated & group
        result[name] = metrics(error[here], None if spread is None else spread[here])
    return result
