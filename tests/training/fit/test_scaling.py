"""The fit of several GPUs: made-up machines whose answer is known, and real pairs."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from scipy.optimize import minimize

from advisor.base.arrays import FloatArray
from advisor.base.resources import models_folder
from advisor.hardware.gpus import load_gpus
from advisor.throughput.scaling import CLASSES, KINDS, Scaling, efficiency
from advisor.training.fit.benchmarks import Benchmarks, load_benchmarks
from advisor.training.fit.newton import WIDTHS, minimum
from advisor.training.fit.pairs import Pairs
from advisor.training.fit.scaling import (
    fit,
    fit_effects,
    fit_scaling,
    folds_of,
    held_out,
    predict,
    quantile_plane,
)
from advisor.training.fit.scaling_posterior import Posterior, terms

GPUS = load_gpus()
SHRINKAGE = 0.6

SHARE = {"pcie": 0.4, "pcie-p2p": 0.9, "sxm": 0.3}
LINK = {"pcie": 12.5, "pcie-p2p": 25.0, "sxm": 300.0}
CONTENTION = 0.25
LOSS = 0.01


def made_up(scatter: float = 0.0, seed: int = 1) -> Pairs:
    """Return pairs of 4 GPUs a class, 5 workloads, 2 to 8 GPUs, by the form itself."""
    chance = np.random.default_rng(seed)
    keys = [
        (interconnect, f"{interconnect} card {card}", f"net {net}", count)
        for interconnect in CLASSES
        for card in range(4)
        for net in range(5)
        for count in (2.0, 4.0, 8.0)
    ]
    interconnect, gpu, workload = (
        np.array([key[i] for key in keys], dtype=np.str_) for i in range(3)
    )
    count = np.array([key[3] for key in keys])
    share = np.array([SHARE[str(name)] for name in interconnect])
    link = np.array([LINK[str(name)] for name in interconnect])
    net = np.array([int(str(name)[-1]) for name in workload])
    gradient_gb = 0.05 * 2.0**net * np.ones(len(keys))
    step_s = gradient_gb / (link * share) * np.exp(chance.uniform(0.8, 4.0, len(keys)))
    bus = link * share * (count / 2.0) ** -CONTENTION
    kept = efficiency(
        count, gradient_gb, step_s, bus, 1.0 / (1.0 + LOSS * np.log2(count))
    )
    return Pairs(
        interconnect=interconnect,
        gpu=gpu,
        workload=workload,
        host=gpu,
        num_gpus=count,
        efficiency=kept * np.exp(chance.normal(0.0, scatter, len(keys))),
        step_s=step_s,
        gradient_gb=gradient_gb,
        link_gb_s=link,
        left_out=np.full(len(keys), "", dtype=np.str_),
    )


def errors(scaling: Scaling, pairs: Pairs) -> FloatArray:
    """Return abs(predicted / measured - 1) of each pair."""
    return np.abs(predict(scaling, pairs)[0] / pairs.efficiency - 1.0)


@pytest.fixture(scope="module")
def table() -> Benchmarks:
    """Return four workloads of the table: enough to fit on, quickly."""
    whole = load_benchmarks(models_folder() / "benchmarks.csv")
    return whole.select(
        np.isin(whole.workload, ("resnet50", "bert-base-squad", "vgg16", "gnmt"))
    )


def test_the_fit_finds_the_numbers_that_made_the_data() -> None:
    """Share, contention and loss of each class, from data without scatter.

    Within what the priors keep: what all hosts share may be theirs or their class's.
    """
    scaling = fit_effects(made_up(), SHRINKAGE)
    for name in CLASSES:
        assert scaling.share[name] == pytest.approx(SHARE[name], rel=0.2)
        assert scaling.contention[name] == pytest.approx(CONTENTION, abs=0.06)
        assert scaling.loss[name] == pytest.approx(LOSS, rel=0.2)
    assert errors(scaling, made_up()).mean() < 0.03


def test_one_broken_host_does_not_spoil_its_class() -> None:
    """A card whose host exchanges at a tenth leaves the other cards' prediction alone."""
    pairs = made_up(scatter=0.02)
    broken = pairs.gpu == "sxm card 0"
    slow = replace(
        pairs,
        efficiency=np.where(
            broken, 1.0 / (10.0 / pairs.efficiency - 9.0), pairs.efficiency
        ),
    )
    scaling = fit_effects(slow, SHRINKAGE)
    others = pairs.select((pairs.interconnect == "sxm") & ~broken)
    assert errors(scaling, others).mean() < 0.03


def test_a_workload_that_exchanges_more_is_recognized() -> None:
    """Twice the exchange of one net on all machines becomes its effect, shrunken."""
    pairs = made_up(scatter=0.01)
    more = pairs.workload == "net 2"
    doubled = replace(pairs, gradient_gb=np.where(more, 0.5, 1.0) * pairs.gradient_gb)
    effect = fit_effects(doubled, SHRINKAGE).workload
    others = np.median([effect[f"net {net}"] for net in (0, 1, 3, 4)])
    assert 0.5 * np.log(2.0) < effect["net 2"] - others < 1.1 * np.log(2.0)


def test_stronger_shrinkage_brings_effects_closer_to_zero() -> None:
    """The scale of the prior bounds what a card may be said to do."""
    pairs = made_up(scatter=0.1)
    size = [
        np.abs(list(fit_effects(pairs, scale).gpu.values())).mean()
        for scale in (0.05, 1.0)
    ]
    assert size[0] < size[1]


@pytest.mark.parametrize("width", WIDTHS)
def test_the_slope_of_the_posterior_is_its_gradient(width: float) -> None:
    """Central differences give the same, in every direction."""
    pairs = made_up(scatter=0.1).select(np.arange(0, 180, 7))
    posterior = Posterior(pairs, terms(pairs, SHRINKAGE))
    size = len(posterior.low)
    at = np.random.default_rng(0).normal(0.0, 0.5, size)
    slope = posterior.near(at, width).slope
    step = 1e-6
    for place in range(size):
        move = step * (np.arange(size) == place)
        above, below = (posterior.near(at + m, width).value for m in (move, -move))
        expected = (above - below) / (2.0 * step)
        assert slope[place] == pytest.approx(expected, rel=1e-4, abs=1e-4)


def test_the_curvature_of_wide_tails_is_that_of_least_squares() -> None:
    """Of a place that fits, a change of the slope is the curvature times the move."""
    pairs = made_up()
    posterior = Posterior(pairs, terms(pairs, SHRINKAGE))
    at = minimum(posterior)
    here = posterior.near(at, 1e6)
    move = np.random.default_rng(0).normal(0.0, 1e-5, len(at))
    change = posterior.near(at + move, 1e6).slope - here.slope
    found = here.curvature @ move
    assert np.abs(change - found).max() < 0.05 * np.abs(change).max()
    own = here.curvature.data[here.diagonal]
    assert own == pytest.approx(here.curvature.diagonal())


def test_the_minimum_is_no_worse_than_a_general_solver_finds() -> None:
    """L-BFGS-B from the same start, within the same bounds, ends no lower."""
    pairs = made_up(scatter=0.2)
    posterior = Posterior(pairs, terms(pairs, SHRINKAGE))
    at = minimum(posterior)
    assert ((posterior.low <= at) & (at <= posterior.high)).all()

    def both(place: FloatArray) -> tuple[float, FloatArray]:
        near = posterior.near(place)
        return near.value, near.slope

    bounds = np.column_stack([posterior.low, posterior.high])
    other = minimize(both, np.zeros(len(at)), jac=True, method="L-BFGS-B", bounds=bounds)
    assert posterior.near(at).value < other.fun + 0.01


def test_what_is_held_out_does_not_train() -> None:
    """Changing the pairs of a fold leaves their own predictions as they are."""
    pairs = made_up(scatter=0.05)
    folds = folds_of(pairs, "gpu", 3)
    first = folds == 0
    other = replace(pairs, efficiency=np.where(first, 0.5, 1.0) * pairs.efficiency)
    before, after = (held_out(p, folds, SHRINKAGE) for p in (pairs, other))
    assert after[first] == pytest.approx(before[first], abs=1e-6)
    assert np.abs(after[~first] - before[~first]).max() > 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_folds_hold_out_whole_things(kind: str) -> None:
    """No GPU, workload or pair of them lies in two folds."""
    pairs = made_up()
    labels = {
        "gpu": pairs.gpu,
        "workload": pairs.workload,
        "pair": np.char.add(pairs.gpu, pairs.workload),
    }[kind]
    folds = folds_of(pairs, kind, 4)
    assert len(np.unique(folds)) == 4
    for label in np.unique(labels):
        assert len(np.unique(folds[labels == label])) == 1


def test_the_plane_is_the_spread_that_made_the_errors() -> None:
    """Floor, growth, slope and lopsidedness come back from errors drawn with them."""
    chance = np.random.default_rng(3)
    doublings = chance.integers(0, 3, 20_000).astype(np.float64)
    loss = chance.exponential(0.2, 20_000)
    drawn = chance.normal(0.0, 0.05 + 0.04 * doublings + 0.5 * loss)
    upwards = np.where(drawn > 0.0, 0.4, 1.0)
    floor, growth, slope, rise = quantile_plane(doublings, loss, upwards * drawn)
    assert floor == pytest.approx(0.05, abs=0.02)
    assert growth == pytest.approx(0.04, abs=0.02)
    assert slope == pytest.approx(0.5, abs=0.1)
    assert rise == pytest.approx(0.4, abs=0.05)


def test_the_interval_covers_new_machines() -> None:
    """Nine tenths of a second draw of the same machines lie in the interval."""
    scaling = fit(made_up(scatter=0.1))
    fresh = made_up(scatter=0.1, seed=2)
    share, spread = predict(scaling, fresh)
    error = np.log(fresh.efficiency / share)
    inside = (-1.645 * spread.fall < error) & (error < 1.645 * spread.rise)
    assert 0.8 < inside.mean() < 0.98


def test_a_class_without_pairs_keeps_the_prior() -> None:
    """Its numbers are those expected beforehand, its spread that of all classes."""
    pairs = made_up(scatter=0.05)
    scaling = fit(pairs.select(pairs.interconnect != "sxm"))
    assert scaling.rows["sxm"] == 0.0
    assert scaling.share["sxm"] == pytest.approx(1.0, rel=0.01)
    assert np.isfinite([scaling.spread_floor[f"{kind}/sxm"] for kind in KINDS]).all()


def test_the_fit_of_the_table_beats_linear_scaling(table: Benchmarks) -> None:
    """Every class errs less than no loss at all does, and links keep their order."""
    section = fit_scaling(table, GPUS)
    scaling = Scaling.from_dict(section)
    assert {field.name for field in fields(Scaling)} == set(section)
    bus = [scaling.share[name] * LINK[name] for name in CLASSES]
    assert bus == sorted(bus)
    assert all(0.0 <= scaling.contention[name] < 1.0 for name in CLASSES)


def test_a_table_without_pairs_gives_no_section(table: Benchmarks) -> None:
    """One GPU alone says nothing about several."""
    assert fit_scaling(table.select(table.num_gpus == 1), GPUS) == {}
