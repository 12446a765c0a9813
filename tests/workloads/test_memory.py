"""GPU memory of a training, and the micro-batch that fits."""

from __future__ import annotations

import csv
import dataclasses
import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.base.resources import models_folder
from advisor.base.units import GB_PER_GIB
from advisor.workloads.load import list_workloads, load_workload
from advisor.workloads.memory import (
    PEAK_LOG_SD,
    SAFE_ODDS,
    USABLE_SHARE,
    activation_mb,
    fit_micro_batch,
    fitted_micro_batch,
    frozen_mb,
    largest_micro_batch,
    memory_gb,
    safe_share,
    state_bytes,
    too_little_probability,
)
from advisor.workloads.override import assigned, override

if TYPE_CHECKING:
    from advisor.workloads.profile import Workload

profiles = st.builds(
    dataclasses.replace,
    st.sampled_from(list_workloads()),
    batch_size=st.integers(1, 5000),
    activation_mb_per_sample=st.floats(0.1, 5000),
)
memories = st.floats(0.5, 300)


def test_memory_by_hand() -> None:
    """ResNet-50 at 256: 1 GB + 25.56 M x 14 B + 256 x 44.5 MB."""
    expected = 1.0 + 25.56e6 * 14 / 1e9 + 256 * 44.5e6 / 1e9
    assert memory_gb(load_workload("resnet50"), 256) == pytest.approx(expected)


def test_frozen_weights_cost_their_own_bytes() -> None:
    """Of Llama 7B with LoRA only the adapters have gradients and moments."""
    workload = load_workload("llama-7b-lora")
    frozen = (6742.6 - 4.194) * 1e6 * 2 / 1e9
    adapters = 4.194e6 * 16 / 1e9
    assert memory_gb(workload, 0) == pytest.approx(1.0 + frozen + adapters)


@given(profiles, memories)
def test_the_result_fits(workload: Workload, memory: float) -> None:
    """The micro-batch fits into the usable memory; if it is 0, not even one does."""
    micro_batch = int(fit_micro_batch(workload, memory))
    if micro_batch == 0:
        assert memory_gb(workload, 1) > memory * USABLE_SHARE
    else:
        assert 1 <= micro_batch <= workload.batch_size
        assert memory_gb(workload, micro_batch) <= memory * USABLE_SHARE * (1 + 1e-12)


@given(profiles, memories)
def test_fewer_steps_do_not_fit(workload: Workload, memory: float) -> None:
    """One step less would hardly fit, and steps are as alike as they can be."""
    found = int(fit_micro_batch(workload, memory))
    if found:
        steps = math.ceil(workload.batch_size / found)
        assert found == math.ceil(workload.batch_size / steps)
        if steps > 1:
            usable = memory * USABLE_SHARE
            fewer = math.ceil(workload.batch_size / (steps - 1))
            assert memory_gb(workload, fewer) > usable * safe_share() * (1 - 1e-12)


def test_an_odd_batch_is_split_into_like_parts() -> None:
    """257 samples where 240 fit are 129 and 128, not 257 times one."""
    workload = dataclasses.replace(load_workload("resnet50"), batch_size=257)
    assert fit_micro_batch(workload, 12 * GB_PER_GIB) == 129


@given(profiles, st.lists(memories, min_size=1))
def test_more_memory_never_holds_less(workload: Workload, values: list[float]) -> None:
    """The micro-batch does not fall with memory, and every card is on its own."""
    rising = np.sort(np.array(values))
    micro_batch = fit_micro_batch(workload, rising)
    assert np.all(np.diff(micro_batch) >= 0)
    alone = [int(fit_micro_batch(workload, memory)) for memory in rising]
    assert micro_batch.tolist() == alone


def test_unknown_memory() -> None:
    """Unknown memory and no memory give 0; unlimited memory the whole batch."""
    workload = load_workload("resnet50")
    result = fit_micro_batch(workload, np.array([np.nan, 0.0, -1.0, np.inf]))
    assert result.tolist() == [0, 0, 0, 256]


def test_shape_and_type() -> None:
    """The result has the shape of the memory and is whole."""
    result = fit_micro_batch(load_workload("resnet50"), np.full((2, 3), 24.0))
    assert result.shape == (2, 3)
    assert result.dtype == np.int64
    assert fit_micro_batch(load_workload("resnet50"), []).shape == (0,)


def test_large_batch() -> None:
    """A batch of 10^9 is handled without listing every number up to it."""
    workload = dataclasses.replace(load_workload("resnet50"), batch_size=10**9)
    assert 340 <= fit_micro_batch(workload, 24 * GB_PER_GIB) < 390


def published(workload: Workload, micro_batch: int, **changes: float) -> float:
    """Return the predicted GB of a published run, which may differ in settings."""
    return float(memory_gb(dataclasses.replace(workload, **changes), micro_batch))


def test_published_detectron2() -> None:
    """Mask R-CNN at 2 images: detectron2's 3.4 GB (its figure has no context)."""
    workload = load_workload("maskrcnn-r50")
    assert published(workload, 2, framework_memory_gb=0) == pytest.approx(3.4, rel=0.05)


def test_published_litgpt() -> None:
    """Llama 2 7B LoRA without checkpointing, 2 x 512 tokens: litgpt's 19.77 GB."""
    workload = load_workload("llama-7b-lora")
    assert workload.activation_mb_per_sample == pytest.approx(
        72.2 * 32 + 65.5 + 131, 1e-3
    )
    predicted = published(workload, 2, gradient_checkpointing=False)
    assert predicted == pytest.approx(19.77, rel=0.05)


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "efficientnet-b0"])
def test_published_bound_timm(name: str) -> None:
    """Timm's bench ran a batch of 512 on a 24 GiB card: 512 must fit into it."""
    assert memory_gb(load_workload(name), 512) <= 24 * GB_PER_GIB


@pytest.mark.parametrize(
    ("gib", "batch"), [(8, 112), (16, 256), (24, 448), (48, 928), (80, 1280)]
)
def test_published_bound_lambda(gib: float, batch: int) -> None:
    """ResNet-50 AMP batches that Lambda ran fit, and were not far from full."""
    needed = memory_gb(load_workload("resnet50"), batch)
    assert 0.65 * gib * GB_PER_GIB < needed <= gib * GB_PER_GIB


def test_optimizers_by_hand() -> None:
    """Mixed precision: 10 bytes of weights and gradient, and what the optimizer keeps."""
    workload = load_workload("resnet50")
    for optimizer, total in (
        ("sgd", 10),
        ("momentum", 14),
        ("adam", 18),
        ("adam-8bit", 12),
    ):
        changed = dataclasses.replace(workload, optimizer=optimizer)
        assert state_bytes(changed).total == total
    half = dataclasses.replace(workload, optimizer="adam", precision="fp16")
    assert state_bytes(half).total == 8
    single = dataclasses.replace(workload, optimizer="momentum", precision="fp32")
    assert state_bytes(single).total == 12
    assert state_bytes(workload).total == workload.state_bytes_per_trainable


@given(profiles, st.integers(1, 64))
def test_sharding_never_needs_more(workload: Workload, number: int) -> None:
    """Each stage shards more, and more GPUs hold less each; one GPU holds all."""
    sizes = []
    for sharding in ("none", "zero1", "zero2", "fsdp"):
        shared = dataclasses.replace(workload, sharding=sharding)
        sizes.append(float(memory_gb(shared, 1, number)))
        assert memory_gb(shared, 1, 1) == pytest.approx(memory_gb(workload, 1))
    assert sizes == sorted(sizes, reverse=True)


@given(profiles, memories)
def test_the_largest_batch_fits_and_one_more_does_not(
    workload: Workload, memory: float
) -> None:
    """What --fit-batch takes is the most that a GPU holds."""
    held = int(largest_micro_batch(workload, memory))
    usable = memory * USABLE_SHARE
    assert memory_gb(workload, held + 1) > usable * (1 - 1e-9)
    if held:
        assert memory_gb(workload, held) <= usable * (1 + 1e-9)


def test_checkpointing_keeps_less() -> None:
    """Activations shrink, nothing else does."""
    workload = load_workload("bert-base")
    less = dataclasses.replace(workload, gradient_checkpointing=True)
    assert memory_gb(less, 0) == memory_gb(workload, 0)
    saved = float(memory_gb(workload, 100) - memory_gb(less, 100))
    assert saved == pytest.approx(0.85 * 100 * 153e6 / 1e9)


@given(profiles, memories)
def test_a_fitted_batch_fits_nine_times_in_ten(workload: Workload, memory: float) -> None:
    """By the model's measured error; one sample is taken however tight it is."""
    held = int(fitted_micro_batch(workload, memory))
    usable = np.float64(memory * USABLE_SHARE)
    need = memory_gb(workload, held)
    risk = too_little_probability(need, usable, PEAK_LOG_SD)
    assert (held > 0) == (int(largest_micro_batch(workload, memory)) > 0)
    if held > 1:
        assert risk <= 1.0 - SAFE_ODDS + 1e-9
        more = too_little_probability(memory_gb(workload, held + 1), usable, PEAK_LOG_SD)
        assert more > 1.0 - SAFE_ODDS - 1e-9


def test_the_spread_is_that_of_the_published_peaks() -> None:
    """Standard deviation and median error of a logistic law, from the same figures."""
    logs = []
    with (models_folder() / "memory.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["kind"] != "upper bound":
                figures = assigned(filter(None, row["figures"].split(";")))
                profile = override(load_workload(row["workload"]), figures)
                own = memory_gb(profile, int(row["micro_batch"]), int(row["num_gpus"]))
                logs.append(math.log(float(row["published_gb"]) / float(own)))
    assert np.std(logs) == pytest.approx(PEAK_LOG_SD, abs=0.01)
    middle = math.log(3.0) * PEAK_LOG_SD * math.sqrt(3.0) / math.pi
    assert np.median(np.abs(logs)) == pytest.approx(middle, rel=0.1)


def test_optimizers_of_fine_tuning_by_hand() -> None:
    """What the newer ones keep, beside 10 bytes of weights and gradient."""
    workload = load_workload("resnet50")
    for optimizer, total in (
        ("adam-8bit-paged", 12.0),
        ("adafactor", 10.01),
        ("lion", 14.0),
        ("prodigy", 26.0),
    ):
        changed = override(workload, {"optimizer": optimizer})
        assert state_bytes(changed).total == pytest.approx(total)


def test_without_master_weights_all_is_in_half_precision() -> None:
    """Weight and gradient take 2 bytes each, Adam's moments 4, those of 8 bits 2."""
    workload = override(load_workload("llama-8b-full"), {"master_weights": False})
    for optimizer, total in (("adam", 8.0), ("adam-8bit", 6.0), ("lion", 6.0)):
        assert state_bytes(override(workload, {"optimizer": optimizer})).total == total
    single = override(workload, {"precision": "fp32", "optimizer": "adam"})
    assert state_bytes(single).total == 16.0  # there is no copy to do without


@given(profiles, st.sampled_from(["half", "int8", "nf4"]))
def test_quantized_weights_need_less(workload: Workload, held: str) -> None:
    """Frozen weights shrink to their bytes, embeddings and what is trained do not."""
    changed = dataclasses.replace(
        workload, base_weights=held, weight_bytes_per_parameter=2.0
    )
    half = dataclasses.replace(changed, base_weights="half")
    assert memory_gb(changed, 1) <= memory_gb(half, 1)
    frozen = workload.parameters_m - workload.trainable_parameters_m
    least = min(workload.embedding_parameters_m, frozen) * 2.0
    assert frozen_mb(changed) >= min(least, frozen_mb(half)) * (1 - 1e-12)


@given(profiles)
def test_eager_attention_needs_more(workload: Workload) -> None:
    """The scores come to the activations where the profile knows them."""
    eager = dataclasses.replace(workload, attention="eager")
    assert memory_gb(eager, 1) >= memory_gb(workload, 1)


def test_eager_attention_needs_more_where_checkpointing_is_stated() -> None:
    """Of the layer that is computed again the scores are kept, whatever else is."""
    workload = load_workload("qwen-7b-lora")
    assert workload.checkpointed_mb_per_sample > 0.0
    eager = dataclasses.replace(workload, attention="eager")
    assert activation_mb(eager) > activation_mb(workload)


def test_what_checkpointing_keeps_may_be_stated() -> None:
    """A counted figure goes before the share."""
    workload = load_workload("wan-lora")
    assert activation_mb(workload) == workload.checkpointed_mb_per_sample
    whole = override(workload, {"gradient_checkpointing": False})
    assert activation_mb(whole) == workload.activation_mb_per_sample
    by_share = override(workload, {"checkpointed_mb_per_sample": 0})
    assert activation_mb(by_share) == pytest.approx(0.15 * activation_mb(whole))


@pytest.mark.parametrize(
    ("name", "figures", "peak_gb"),
    [
        ("sdxl-lora", {}, 13.99),
        ("sdxl-lora", {"gradient_checkpointing": True}, 7.01),
        (
            "wan-lora",
            {"gradient_checkpointing": False, "weight_bytes_per_parameter": 0},
            77.2,
        ),
    ],
)
def test_published_simpletuner(
    name: str, figures: dict[str, object], peak_gb: float
) -> None:
    """Peaks that SimpleTuner lists on an H100, one sample, come out within 15 %."""
    predicted = float(memory_gb(override(load_workload(name), figures), 1))
    assert predicted == pytest.approx(peak_gb, rel=0.15)
