"""Pairs of several GPUs and one: the same work twice, or a reason why not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from advisor.base.resources import models_folder
from advisor.hardware.gpus import load_gpus
from advisor.training.fit.benchmarks import Benchmarks, load_benchmarks
from advisor.training.fit.gradients import GRADIENTS, gradient_bytes
from advisor.training.fit.pairs import Pairs, scaling_pairs

GPUS = load_gpus()


@pytest.fixture(scope="module")
def table() -> Benchmarks:
    """Return the whole table."""
    return load_benchmarks(models_folder() / "benchmarks.csv")


@pytest.fixture(scope="module")
def two(table: Benchmarks) -> Benchmarks:
    """Return one GPU and two of them, of one group: the least that makes a pair."""
    here = (table.workload == "resnet50") & (table.gpu == "RTX A6000")
    here &= np.isin(table.num_gpus, (1, 2)) & (table.precision == "amp")
    here &= table.series == "lambda/pytorch-1.7.0a0"
    rows = table.select(here)
    assert sorted(rows.num_gpus.tolist()) == [1, 2]
    return rows


def one_pair(rows: Benchmarks) -> Pairs:
    pairs = scaling_pairs(rows, GPUS)
    assert len(pairs) == 1
    return pairs


def test_a_pair_by_hand(two: Benchmarks) -> None:
    """Rate over rate, batch over rate, four bytes a parameter, the card's own PCIe."""
    one, both = two.num_gpus == 1, two.num_gpus == 2
    pair = one_pair(two)
    assert pair.left_out[0] == ""
    rate = two.throughput[one][0]
    assert pair.efficiency[0] == pytest.approx(two.throughput[both][0] / (2 * rate))
    assert pair.step_s[0] == pytest.approx(two.batch_size[both][0] / rate)
    assert pair.gradient_gb[0] == pytest.approx(25.56 * 4e-3)
    assert pair.link_gb_s[0] == pytest.approx(25.2, rel=0.01)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"host_bound": np.array([True, False])}, "input or launch"),
        ({"host_bound": np.array([False, True])}, "input or launch"),
        ({"gpu": np.array(["MI100", "MI100"])}, "not a card"),
        (
            {"workload": np.array(["unheard of"] * 2), "params_m": np.full(2, np.nan)},
            "number of parameters",
        ),
        ({"unit": np.array(["tokens/s"] * 2)}, "length of a step"),
        ({"batch_size": np.array([100.0, 125.0])}, "another batch"),
        (
            {"throughput": np.array([100.0, 230.0]), "num_gpus": np.array([1, 2])},
            "more than 1.1",
        ),
        (
            {
                "series": np.array(["lambda/pytorch-1.13.0a0"] * 2),
                "gpu": np.array(["A100-SXM4-40GB"] * 2),
            },
            "virtual machine",
        ),
    ],
)
def test_every_reason_leaves_a_pair_out(
    two: Benchmarks, change: dict[str, np.ndarray], reason: str
) -> None:
    """Each rule alone names itself, and the pair is no longer evaluated."""
    pair = one_pair(replace(two, **change))
    assert pair.left_out[0].startswith(reason)
    assert not pair.evaluated[0]


@pytest.mark.parametrize("name", ["gpu", "workload", "series", "precision", "unit"])
def test_other_work_is_no_twin(two: Benchmarks, name: str) -> None:
    """A row on one GPU of another card, net, series, precision or unit makes no pair."""
    other = getattr(two, name).astype("U40")
    other[two.num_gpus == 1] = "A100-PCIe-80GB" if name == "gpu" else "another"
    assert len(scaling_pairs(replace(two, **{name: other}), GPUS)) == 0


@pytest.mark.parametrize("workload", ["gnmt", "tacotron2", "waveglow", "ncf"])
def test_what_a_sample_holds_makes_steps_of_seconds(
    table: Benchmarks, workload: str
) -> None:
    """Steps of nets that count tokens or frames last as long as other nets' do."""
    pairs = scaling_pairs(table, GPUS)
    steps = pairs.step_s[pairs.evaluated & (pairs.workload == workload)]
    assert len(steps) > 50
    assert 0.1 < np.median(steps) < 3.0


def test_every_pair_trains_or_has_a_reason(table: Benchmarks) -> None:
    """What trains can be predicted, and most pairs do."""
    pairs = scaling_pairs(table, GPUS)
    assert pairs.predictable[pairs.evaluated].all()
    assert pairs.evaluated.mean() > 0.7


def test_parameters_agree_with_the_table(table: Benchmarks) -> None:
    """Where the table states a net's parameters too, they differ by less than 5 %."""
    for workload, gradients in GRADIENTS.items():
        stated = table.params_m[table.workload == workload]
        stated = stated[np.isfinite(stated)]
        assert np.abs(np.log(stated / gradients.parameters_m)).max(initial=0.0) < 0.05


def test_half_precision_of_tensorflow_exchanges_half(table: Benchmarks) -> None:
    """Its script casts gradients for the exchange; PyTorch's rows keep four bytes."""
    rows = table.select(np.flatnonzero(table.workload == "resnet50"))
    size = gradient_bytes(rows)
    halved = (rows.framework == "tensorflow") & (rows.precision == "fp16")
    assert set(size[halved]) == {2.0}
    assert set(size[~halved]) == {4.0}


def test_adapters_do_not_exchange_the_gradients_of_the_net(table: Benchmarks) -> None:
    """How many they have nobody states, so such a pair is left out."""
    pairs = scaling_pairs(table, GPUS)
    adapters = np.char.find(pairs.workload, " lora") >= 0
    assert adapters.sum() > 10
    assert not np.isfinite(pairs.gradient_gb[adapters]).any()
    assert not pairs.evaluated[adapters].any()
