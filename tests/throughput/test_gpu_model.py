"""The artifact: it predicts with NumPy alone, sensibly, whatever is asked."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.base.resources import models_folder
from advisor.hardware.gpus import load_gpus
from advisor.throughput.artifact import read_model
from advisor.throughput.features import UNKNOWN, GpuFeatures, WorkloadKey, batch_effect
from advisor.workloads.load import load_workload

ARTIFACT = models_folder() / "throughput.npz"
MODEL = read_model(ARTIFACT).gpu
GPUS = load_gpus()

RESNET50 = WorkloadKey(
    "resnet50", "cnn", "amp", 24.6, framework="pytorch", memory_format="channels-last"
)
NEW_NET = dataclasses.replace(RESNET50, name="")
NEW_PRECISION = dataclasses.replace(RESNET50, name="vit-b16", precision="fp16")
ONE_GPU = dataclasses.replace(RESNET50, name="gpt2-124m", family="llm", precision="bf16")


def features(*names: str, precision: str = "amp") -> GpuFeatures:
    """Look up GPUs by name; a name that is in no table is an unknown GPU."""
    return GpuFeatures.of([GPUS.get(name) for name in names], precision)


def test_resnet50_on_known_cards_is_what_was_published() -> None:
    """AMP on a 3090 is between the 796 and 1,222 images/s of the sources."""
    rate, spread = MODEL.predict(features("RTX 3090"), RESNET50)
    assert 796 < np.exp(rate[0]) < 1222
    assert 0.05 < spread[0] < 0.5


def test_faster_cards_are_faster() -> None:
    """The order of cards that every benchmark agrees on."""
    names = ("RTX 3060", "RTX 3090", "RTX 4090", "RTX 5090", "H100-SXM5-80GB")
    rate, _ = MODEL.predict(features(*names), RESNET50)
    assert np.all(np.diff(rate) > 0)


def test_no_card_computes_faster_than_its_matrix_products() -> None:
    """A measured net of huge operations: no more than the best rows had of that rate."""
    huge = dataclasses.replace(RESNET50, training_gflops_per_sample=1e6)
    card = features("RTX 3090", "H100-SXM5-80GB")
    rate, _ = MODEL.predict(card, huge)
    share = np.exp(rate) * 1e3 / card.sustained_tflops
    assert share == pytest.approx(MODEL.best_utilization)


@pytest.mark.parametrize("name", ["T4", "V100-SXM2-16GB", "GTX 1080 Ti", "RTX 4090"])
def test_single_precision_of_a_language_model_has_a_peak(name: str) -> None:
    """Measured in BF16 alone: no card computes it faster in FP32 than FP32 is."""
    key = WorkloadKey.of(
        dataclasses.replace(load_workload("llama-8b-lora"), precision="fp32")
    )
    card = features(name, precision="fp32")
    rate, _ = MODEL.predict(card, key)
    done = np.exp(rate) * key.training_gflops_per_sample * 1e-3
    assert np.all(done <= card.fp32_tflops * (1.0 + 1e-9))


COMMON = ("RTX 3060", "RTX 3090", "RTX 4090", "RTX A4000", "RTX A6000", "T4", "L4")


@settings(deadline=None, max_examples=25)
@given(
    gflops=st.floats(0.5, 1e6),
    lineage=st.sampled_from(["", "resnet", "vit", "sd"]),
    family=st.sampled_from(["cnn", "diffusion", "speech", "llm-lora", "segmentation"]),
)
def test_a_guessed_level_changes_no_ratio_of_cards(
    gflops: float, lineage: str, family: str
) -> None:
    """Of two nets of a family that nobody measured, cards compare alike."""
    small = dataclasses.replace(NEW_NET, family=family, parameters_m=100.0)
    large = dataclasses.replace(small, training_gflops_per_sample=gflops, lineage=lineage)
    cards = features(*COMMON)
    change = MODEL.predict(cards, large)[0] - MODEL.predict(cards, small)[0]
    assert np.ptp(change) < 1e-6


@settings(deadline=None, max_examples=25)
@given(gflops=st.floats(1e2, 1e7), family=st.sampled_from(["cnn", "diffusion", "llm"]))
def test_a_guessed_level_is_within_what_others_reach(gflops: float, family: str) -> None:
    """However many operations: an average card does no more than the best rows did."""
    net = dataclasses.replace(
        NEW_NET, family=family, training_gflops_per_sample=gflops, parameters_m=1e3
    )
    cards = features(*COMMON)
    rate, _ = MODEL.predict(cards, net)
    share = np.log(np.exp(rate) * gflops * 1e-3 / cards.sustained_tflops)
    assert 0.3 < MODEL.best_utilization < 1.0
    assert share.mean() < np.log(MODEL.best_utilization) + 0.15


def test_an_unknown_gpu_is_predicted_with_a_wide_interval() -> None:
    """It is never dropped; the spread says that nothing is known."""
    rate, spread = MODEL.predict(features("RTX 3090", "no such card"), RESNET50)
    assert np.isnan(rate[1]) or np.isfinite(rate[1])
    assert spread[1] > spread[0] + 0.3


def test_a_gpu_without_measurements_is_less_certain() -> None:
    """The same physics under a name that nobody measured widens the interval."""
    known = features("RTX 3090")
    renamed = dataclasses.replace(known, gpu=np.array(["RTX 3090 of another make"]))
    _, sure = MODEL.predict(known, RESNET50)
    _, unsure = MODEL.predict(renamed, RESNET50)
    assert unsure[0] > sure[0]


def test_each_fallback_is_less_certain_than_the_one_before() -> None:
    """Measured, measured at another precision, never measured."""
    card = features("RTX 3090")
    keys = (RESNET50, NEW_PRECISION, NEW_NET)
    spreads = [MODEL.predict(card, key)[1][0] for key in keys]
    assert spreads == sorted(spreads)
    assert [MODEL.intercept_evidence(key) for key in keys] == [
        "measured",
        "other precision",
        "family",
    ]


def test_a_workload_of_one_gpu_is_predicted_through_it() -> None:
    """Near its rate on the card that ran it, surer than by its family alone."""
    observation = MODEL.observations["gpt2-124m"][0]
    key = dataclasses.replace(
        ONE_GPU, precision=observation.run.precision, training_gflops_per_sample=1e-3
    )
    card = features(observation.gpu, precision=observation.run.precision)
    known, spread = MODEL.predict(card, key)
    _, by_family = MODEL.predict(card, dataclasses.replace(key, name=""))
    measured = observation.y + 0.5 * np.log(
        card.matrix_tflops * card.memory_bandwidth_gb_s
    )
    assert MODEL.intercept_evidence(key) == "one GPU"
    assert abs(known[0] - measured[0]) < 1.645 * spread[0]
    assert spread[0] < by_family[0]


def test_the_guessed_intercept_is_near_the_measured_one() -> None:
    """From its operations and its family ResNet-50 comes out within its own interval."""
    card = features("RTX 3090")
    measured, _ = MODEL.predict(card, RESNET50)
    guessed, spread = MODEL.predict(card, NEW_NET)
    assert abs(guessed[0] - measured[0]) < 1.645 * spread[0]


def test_units_per_sample_divide_the_rate() -> None:
    """A sample of 1,024 tokens is trained at 1/1,024 of the rate of tokens."""
    tokens = dataclasses.replace(ONE_GPU, training_gflops_per_sample=1e-3)
    samples = dataclasses.replace(tokens, units_per_sample=1024.0)
    card = features("A100-SXM4-80GB", precision="bf16")
    difference = MODEL.predict(card, tokens)[0] - MODEL.predict(card, samples)[0]
    assert difference[0] == pytest.approx(np.log(1024.0))


def test_channels_last_is_faster_in_mixed_precision() -> None:
    """The intercept follows the memory format of the reference configuration."""
    contiguous = dataclasses.replace(RESNET50, memory_format="contiguous")
    card = features("RTX 3090")
    last, _ = MODEL.predict(card, RESNET50)
    first, _ = MODEL.predict(card, contiguous)
    assert last[0] > first[0] + 0.1


BATCHES = st.lists(st.floats(-4.0, 4.0), min_size=2, max_size=8)


@settings(deadline=None, max_examples=25)
@given(
    ratios=BATCHES,
    name=st.sampled_from(
        ["resnet50", "bert-base-squad", "vgg16", "resnet50-cifar-stem", "fastpitch"]
    ),
    gpu=st.sampled_from(["T4", "RTX 3090", "RTX 5090", "H100-SXM5-80GB"]),
)
def test_a_larger_batch_is_never_slower(ratios: list[float], name: str, gpu: str) -> None:
    """Also for workloads whose measurements, taken alone, say otherwise."""
    key = dataclasses.replace(RESNET50, name=name, training_gflops_per_sample=1e-6)
    card = features(*[gpu] * len(ratios))
    rate, _ = MODEL.predict(card, key, np.sort(np.array(ratios)))
    assert np.all(np.diff(rate) >= -1e-9)


@given(st.floats(-9, 9), st.floats(-3, 3), st.floats(0, 3), st.floats(0, 3))
def test_the_batch_effect_is_an_overhead(
    batch: float, rate: float, more: float, faster: float
) -> None:
    """It never gains, falls as the GPU gets faster and rises with the batch."""

    def effect(log_batch: float, log_rate: float) -> float:
        return float(batch_effect(np.array([log_batch]), np.array([log_rate]))[0])

    assert effect(batch, rate) <= 0.0
    assert effect(batch + more, rate) >= effect(batch, rate) - 1e-12
    assert effect(batch, rate + faster) <= effect(batch, rate) + 1e-12


def test_the_batch_effect_by_hand() -> None:
    """A tenth of a step at the usual batch, a fifth over at half of it."""
    effect = batch_effect(np.array([0.0, np.log(0.5)]), np.zeros(2))
    assert np.exp(effect) == pytest.approx([1 / 1.1, 1 / 1.2])


@settings(deadline=None, max_examples=20)
@given(st.permutations(["RTX 3090", "T4", "T4", "RTX 9999", "A100-SXM4-80GB"]))
def test_offers_are_predicted_one_by_one(names: list[str]) -> None:
    """An offer's prediction does not depend on the offers beside it."""
    rate, spread = MODEL.predict(features(*names), RESNET50)
    for place, name in enumerate(names):
        alone, alone_spread = MODEL.predict(features(name), RESNET50)
        assert rate[place] == pytest.approx(alone[0], rel=1e-9, nan_ok=True)
        assert spread[place] == pytest.approx(alone_spread[0], rel=1e-6)


@pytest.mark.parametrize("key", [RESNET50, ONE_GPU, NEW_NET, NEW_PRECISION])
def test_no_offers_are_no_predictions(key: WorkloadKey) -> None:
    """Nothing asked, nothing answered, whatever the intercept is from."""
    rate, spread = MODEL.predict(features(), key)
    assert rate.shape == spread.shape == (0,)


def test_a_precision_that_a_card_lacks_runs_in_fp32() -> None:
    """Turing has neither TF32 nor BF16: all three are one prediction; Ampere has them."""
    cards = ("RTX 2080 Ti", "V100-SXM2-16GB", "RTX 3090")
    found = []
    for precision in ("fp32", "tf32", "bf16"):
        key = dataclasses.replace(RESNET50, precision=precision)
        card = GpuFeatures.of([GPUS[name] for name in cards], precision)
        lacking = np.isnan(card.tensor_tflops)
        known = dataclasses.replace(
            card, tensor_tflops=np.where(lacking, card.fp32_tflops, card.tensor_tflops)
        )
        found.append(MODEL.predict(known, key)[0])
    plain, tf32, bf16 = found
    assert tf32[:2] == pytest.approx(plain[:2])
    assert bf16[:2] == pytest.approx(plain[:2])
    assert bf16[2] > plain[2]


def test_a_card_without_tensor_cores_computes_at_its_fp32_rate() -> None:
    """A missing matrix rate counts as the FP32 rate, not as nothing."""
    card = features("GTX 1080 Ti")
    missing = dataclasses.replace(card, tensor_tflops=np.array([np.nan]))
    rate, spread = MODEL.predict(missing, RESNET50)
    assert np.isfinite(rate[0])
    assert spread[0] < 0.5


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.tuples(*[st.one_of(st.just(np.nan), st.floats(1.0, 5000.0))] * 8),
        min_size=1,
        max_size=5,
    )
)
def test_any_features_give_a_spread_above_that_of_known_cards(
    rows: list[tuple[float, ...]],
) -> None:
    """Whatever is missing, nothing crashes and nothing becomes surer."""
    columns = np.array(rows).T
    card = GpuFeatures(*columns, gpu=np.array([UNKNOWN] * len(rows)))
    rate, spread = MODEL.predict(card, RESNET50)
    known = np.isfinite(card.matrix_tflops * card.memory_bandwidth_gb_s)
    assert np.all(np.isfinite(rate[known]))
    assert np.all(spread >= MODEL.predict(features("RTX 3090"), RESNET50)[1][0])


def test_predicting_imports_neither_pandas_nor_scikit_learn() -> None:
    """The ranking path stays light."""
    code = (
        "import sys; from advisor.throughput import gpu_store, artifact, predict; "
        "print(sorted({'pandas', 'sklearn', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
