"""The nets of the bench are those of the built-in profiles."""

from __future__ import annotations

import importlib
import warnings
from typing import Any

import pytest

from advisor.workloads.load import load_workload
from advisor.workloads.tally import Tally, counting

pytestmark = pytest.mark.slow  # importing PyTorch is

PROFILES = ("resnet18", "resnet50", "vit-b16", "gpt2-124m", "bert-base")


@pytest.fixture
def torch() -> Any:
    return pytest.importorskip(
        "torch", reason="PyTorch is not installed (extra `measure`)"
    )


def tasks() -> Any:
    return importlib.import_module("advisor.measure.probe.gpu.nets.tasks")


@pytest.mark.parametrize("profile", PROFILES)
def test_parameters(torch: Any, profile: str) -> None:
    """As many parameters as the profile states."""
    with torch.device("meta"):
        net = tasks().task_of(profile).build()
    stated = load_workload(profile).parameters_m
    counted = sum(one.numel() for one in net.parameters()) / 1e6
    assert counted == pytest.approx(stated, rel=1e-3)


@pytest.mark.parametrize("profile", PROFILES)
def test_operations(torch: Any, profile: str) -> None:
    """As many operations as the profile states, within 1 %.

    The profile of GPT-2 leaves out the half of its attention that is masked; that a
    backward pass costs two forward passes is a convention, which the first layer of a
    small net falls short of.
    """
    task = tasks().task_of(profile)
    # A CPU without bfloat16 takes minutes to compute what is only counted.
    forward, training, _ = step(torch, task, "meta")
    workload = load_workload(profile)
    if profile == "gpt2-124m":
        masked = 12 * 2 * 1024**2 * 768
        forward, training = forward - masked, training - 3 * masked
    assert forward / 1e9 == pytest.approx(workload.forward_gflops_per_sample, rel=0.01)
    assert training / forward == pytest.approx(workload.training_flops_factor, rel=0.03)


def test_kernels_of_the_launch_rate(torch: Any) -> None:
    """A narrow GPT-2 launches as many kernels as the rate takes for granted.

    Those of the optimizer, of which a CPU launches one per weight, stand on their own.
    """
    components = importlib.import_module("advisor.measure.probe.gpu.components")
    task = tasks().task_of("gpt2-124m", is_tiny=True)
    kernels = step(torch, task, "cpu")[2]
    assert kernels + 58 == components.NARROW_GPT2_KERNELS


def step(torch: Any, task: Any, device: str) -> tuple[float, float, float]:
    """Operations of a sample, forward and in training, and kernels of the step.

    On the device "meta" nothing is computed: operations are counted by shapes alone.
    """
    samples = 2 if task.takes_images else 1  # batch normalization needs two
    with torch.device(device):
        net = task.build()
    inputs, targets = task.inputs(samples, device)
    tally = Tally(half=True)
    with warnings.catch_warnings(), counting(torch, tally, frozenset()):
        warnings.simplefilter("ignore")
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = tasks().loss_of(net(inputs), targets)
        forward = tally.flops
        loss.backward()
    return forward / samples, tally.flops / samples, tally.kernels
