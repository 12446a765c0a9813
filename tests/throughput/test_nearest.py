"""Which measured GPUs are called nearest."""

from __future__ import annotations

import dataclasses
import math

import pytest

from advisor.base.resources import models_folder
from advisor.hardware.gpus import load_gpus
from advisor.throughput.artifact import load_model
from advisor.throughput.nearest import NAMED, nearest

GPUS, ARTIFACT = load_gpus(), load_model(models_folder())
MODEL = ARTIFACT.gpu
MEASURED = [GPUS[name] for name in ARTIFACT.coverage.gpu_rows if name in GPUS]


def near(name: str) -> tuple[str, ...]:
    return nearest(GPUS[name], MEASURED, "amp", MODEL.center, MODEL.scale)


@pytest.mark.parametrize(
    ("name", "neighbor"),
    [
        ("A100-SXM4-80GB", "A100-SXM4-40GB"),
        ("RTX 4080", "RTX 4080 Super"),
        ("H200-SXM-141GB", "H100-SXM5-80GB"),
    ],
)
def test_cards_of_one_die_are_near(name: str, neighbor: str) -> None:
    """A card's own sisters come among the nearest."""
    assert neighbor in near(name)


@pytest.mark.parametrize("name", ["RTX 4090", "RTX 2060", "MI300X", "B200-SXM-180GB"])
def test_a_gpu_is_not_its_own_neighbor(name: str) -> None:
    """Some other measured GPUs are named, each once."""
    found = near(name)
    assert name not in found
    assert len(set(found)) == NAMED
    assert set(found) <= {gpu.name for gpu in MEASURED}


def test_an_unknown_figure_counts_as_the_mean() -> None:
    """A card that lacks a figure still has neighbors."""
    card = dataclasses.replace(GPUS["RTX 4090"], name="new", boost_mhz=math.nan)
    assert len(nearest(card, MEASURED, "amp", MODEL.center, MODEL.scale)) == NAMED


def test_the_twin_is_the_nearest() -> None:
    """A card with another name and the same figures has its twin first."""
    twin = dataclasses.replace(GPUS["RTX 3090"], name="twin")
    found = nearest(twin, MEASURED, "amp", MODEL.center, MODEL.scale)
    assert found[0] == "RTX 3090"
