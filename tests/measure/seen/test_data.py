"""What a sample is and costs, from what was seen of the loader."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from advisor.measure.hooks.observation import Observation, Tensor
from advisor.measure.seen.data import data_figures, sample_words
from advisor.workloads.dataset import Core


def with_loader(observation: Observation, **changes: Any) -> Observation:
    return replace(observation, loaders=[replace(observation.loaders[0], **changes)])


def with_inputs(observation: Observation, *tensors: Tensor) -> Observation:
    net = replace(observation.models[0], inputs=list(tensors))
    return replace(observation, models=[net])


@pytest.mark.parametrize(
    ("tensors", "words"),
    [
        ([Tensor("x", [8, 3, 224, 160], "float32")], "image 224x160"),
        ([Tensor("x", [8, 96, 96, 3], "uint8")], "image 96x96"),
        (
            [
                Tensor("input_ids", [8, 512], "int64"),
                Tensor("position_ids", [8, 512], "int64"),
                Tensor("decoder_input_ids", [8, 128], "int64"),
            ],
            "sequence of 640 tokens",
        ),
        ([Tensor("0", [8, 28], "float32")], "input 28"),
        ([Tensor("0", [8], "float32")], "input scalar"),
    ],
)
def test_a_sample_is_what_the_net_gets(
    pictures: Observation, tensors: list[Tensor], words: str
) -> None:
    """Pictures of either order; tokens, what is beside them not counted."""
    assert sample_words(with_inputs(pictures, *tensors)) == words


def test_threads_share_the_batch(pictures: Observation, core: Core) -> None:
    """A profile's batch is of one GPU."""
    seen = replace(pictures.distributed, wrapper="data-parallel", gpus=4)
    figures = data_figures(replace(pictures, distributed=seen), core, None)
    assert figures["batch_size"].value == 8


def test_data_in_memory_read_nothing(pictures: Observation, core: Core) -> None:
    """A profile needs more than zero."""
    figures = data_figures(with_loader(pictures, read_bytes=0.0), core, None)
    assert figures["disk_bytes_per_sample"].value == 1.0
    assert "in memory" in figures["disk_bytes_per_sample"].words


def test_mapped_files_are_counted_by_size(pictures: Observation, core: Core) -> None:
    """No count of reads sees them."""
    mapped = with_loader(pictures, read_bytes=10.0, mapped_bytes=64_000.0)
    figures = data_figures(mapped, core, None)
    assert figures["disk_bytes_per_sample"].value == pytest.approx(100.0)
    assert figures["disk_bytes_per_sample"].how == "estimated"


def test_bytes_to_the_gpu_are_measured_where_they_go(
    pictures: Observation, core: Core
) -> None:
    """On a CPU they are those of the batch."""
    assert data_figures(pictures, core, None)["gpu_bytes_per_sample"].how == "estimated"
    copied = replace(pictures, counted=replace(pictures.counted, h2d_bytes=96 * 12_288.0))
    figure = data_figures(copied, core, None)["gpu_bytes_per_sample"]
    assert (figure.value, figure.how) == (pytest.approx(12_288.0), "measured")


def test_without_a_loader_a_bound_is_seen(pictures: Observation, core: Core) -> None:
    """What passed between a step and the next call of the net: no more than that."""
    loop = replace(pictures.loop, before_forward_s=0.064)
    figures = data_figures(replace(pictures, loaders=[], loop=loop), core, None)
    assert figures["cpu_ms_per_sample"].value == pytest.approx(2.0 * 2.0)
    assert figures["cpu_ms_per_sample"].how == "estimated"
    assert figures["cpu_ms_log_sd"].value > 0.4
    assert "samples_per_epoch" not in figures


def test_reads_that_were_not_seen_are_what_is_sent(
    pictures: Observation, core: Core
) -> None:
    """A net's data are some bytes, and not those of another data set."""
    copied = replace(pictures.counted, h2d_bytes=96 * 3136.0)
    figures = data_figures(replace(pictures, loaders=[], counted=copied), core, None)
    disk = figures["disk_bytes_per_sample"]
    assert (disk.value, disk.how) == (pytest.approx(3136.0), "estimated")


def test_padding_is_of_tokens(texts: Observation, core: Core) -> None:
    """A mask says how much of a sample is padding."""
    figures = data_figures(with_loader(texts, padding_share=0.25), core, None)
    assert figures["padding_share"].value == 0.25


def test_the_spread_is_that_of_the_core_and_more(
    pictures: Observation, core: Core
) -> None:
    """A figure is known no better than the core that it was measured on."""
    figures = data_figures(pictures, core, None)
    assert figures["cpu_ms_log_sd"].value == pytest.approx(math.hypot(0.1, 0.1))
