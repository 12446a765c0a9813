"""Nets of inverted residual blocks: counted by layers, they are the published ones."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import pytest

from advisor.workloads.load import load_workload

Tool = Callable[[str], ModuleType]


@pytest.mark.parametrize(
    ("name", "sizes", "gmacs", "parameters_m"),
    [
        ("efficientnet-b0", (1.0, 1.0, 224), 0.386, 5.289),
        ("efficientnet-b4", (1.4, 1.8, 380), 4.394, 19.342),
        ("mobilenetv3-large", None, 0.217, 5.483),
    ],
)
def test_mobile_nets_are_those_of_torchvision(
    tool: Tool,
    name: str,
    sizes: tuple[float, float, int] | None,
    gmacs: float,
    parameters_m: float,
) -> None:
    """Operations, at the size of the profile, and parameters: so the layers are right."""
    nets = tool("mobile_nets")
    net = nets.mobilenetv3_large() if sizes is None else nets.efficientnet(*sizes)
    assert net.gflops / 2.0 == pytest.approx(gmacs, rel=2e-3)
    assert net.parameters / 1e6 == pytest.approx(parameters_m, rel=1e-4)
    workload = load_workload(name)
    assert workload.forward_gflops_per_sample == pytest.approx(net.gflops, rel=2e-3)
    assert workload.activation_mb_per_sample == pytest.approx(net.kept_mb, rel=6e-3)


def test_what_a_mobile_net_keeps_is_as_counted(tool: Tool) -> None:
    """B0: 44.1 MB counted with PyTorch, and an image of 0.6 MB; within 0.6 %."""
    net = tool("mobile_nets").efficientnet(1.0, 1.0, 224)
    assert net.kept_mb == pytest.approx(44.1 + 3 * 224**2 * 4 / 1e6, rel=6e-3)


@pytest.mark.parametrize(("pixels", "fits", "not_more"), [(320, 96, 128), (380, 64, 96)])
def test_b4_fits_where_timm_ran_it(
    tool: Tool, pixels: int, fits: int, not_more: int
) -> None:
    """24 GiB less 6 %, the context and 18 B a parameter hold what timm's bench held."""
    kept_gb = tool("mobile_nets").efficientnet(1.4, 1.8, pixels).kept_mb / 1e3
    free_gb = 24 * 2**30 / 1e9 * 0.94 - 1.0 - 19.34e6 * 18 / 1e9
    assert fits * kept_gb < free_gb < not_more * kept_gb
