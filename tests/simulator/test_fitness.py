"""A simulated machine runs an image, or not, as its listing says."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("uvicorn", reason="the extra simulator is not installed")

from advisor.simulator.fitness import Unfit, unfit_by_fact, unfit_by_fault
from advisor.software.misfit import MISFITS, Misfit, symptom_of

OLD = "pytorch/pytorch:2.5.1-cuda12.4-cudnn9-runtime"
NEW = "pytorch/pytorch:2.12.1-cuda13.0-cudnn9-runtime"
DEMANDING = "nvidia/cuda:12.8.1-base-ubuntu22.04"
MACHINE = {
    "id": 1,
    "gpu_name": "RTX 5090",
    "num_gpus": 1,
    "gpu_ram": 32607,
    "compute_cap": 1200,
    "cuda_max_good": 13.0,
    "driver_version": "580.65.06",
    "cpu_arch": "amd64",
    "gpu_arch": "nvidia",
    "cpu_ram": 64000,
    "dph_total": 0.5,
    "dph_base": 0.5,
}


def machine(**facts: Any) -> dict[str, Any]:
    return {**MACHINE, **facts}


@pytest.mark.parametrize(
    ("image", "facts", "misfit", "refused"),
    [
        (NEW, {}, None, False),
        ("me/training:3", {}, None, False),
        ("no image: at all", {}, None, False),
        (OLD, {}, "image_lacks_gpu", False),
        (NEW, {"gpu_name": "GTX 1080 Ti", "compute_cap": 610}, "image_lacks_gpu", False),
        (
            NEW,
            {"driver_version": "535.183.01", "cuda_max_good": 12.2},
            "driver_too_old",
            False,
        ),
        (
            DEMANDING,
            {"driver_version": "570.10", "cuda_max_good": 12.7},
            "driver_too_old",
            True,
        ),
        (NEW, {"cpu_arch": "arm64"}, "cpu_arch", True),
        (
            NEW,
            {"gpu_name": "RX 7900 XTX", "gpu_arch": "amd"},
            "image_lacks_gpu",
            False,
        ),
    ],
)
def test_what_is_listed_decides(
    image: str, facts: dict[str, Any], misfit: Misfit | None, refused: bool
) -> None:
    """By card, driver and CPU; the runtime refuses what an image demands in vain."""
    found = unfit_by_fact(image, machine(**facts))
    if misfit is None:
        assert found is None
    else:
        assert found is not None
        assert (found.misfit, found.refused) == (misfit, refused)
        assert_is_shown(found)


# What a GPU does or holds, and which Python an image has, is no words' matter of its
# machine: it shows when it is tried.
@pytest.mark.parametrize(
    "misfit",
    [one for one in MISFITS if one[:4] != "gpu_" and one != "image_lacks_python"],
)
@pytest.mark.parametrize("image", [NEW, "me/training:3"])
def test_a_fault_makes_any_machine_fail(image: str, misfit: Misfit) -> None:
    """Whatever is listed; it says so in words by which it is recognized."""
    assert_is_shown(unfit_by_fault(misfit, image, machine()))


def assert_is_shown(unfit: Unfit) -> None:
    symptom = symptom_of(unfit.message)
    assert symptom is not None
    assert symptom.misfit == unfit.misfit
