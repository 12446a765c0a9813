"""What computes on a GPU runs on the CPU too, small: here it does."""

from __future__ import annotations

import importlib
import importlib.util
import math
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from advisor.measure.probe.gpu import measure, within
from advisor.measure.probe.gpu.allreduce import Group, reduce_apart
from advisor.measure.probe.gpu.apart import run_apart
from advisor.measure.probe.gpu.components import TINY
from advisor.measure.probe.gpu.recipe import Feed, Recipe, usual_recipes
from advisor.measure.probe.images import jpegs
from advisor.measure.probe.lines import Check, Line, Result, Skipped
from tests.measure.probe.gpu.conftest import H100, Smi

PATIENCE_S = 300.0

needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None,
    reason="PyTorch is not installed (extra `measure`)",
)
slow = pytest.mark.slow  # importing PyTorch is


def apart(function: Any, *arguments: Any) -> list[Any]:
    got: list[Any] = []
    ends = time.monotonic() + PATIENCE_S
    assert not run_apart(function, arguments, ends, got.append)
    return got


def device() -> Any:
    timing = importlib.import_module("advisor.measure.probe.gpu.timing")
    return timing.Device(importlib.import_module("torch"), "cpu")


@slow
@needs_torch
def test_parts(smi: Smi) -> None:
    """Every part has its line, and how the card was under load is told beside."""
    smi(H100)
    got = apart(within.parts_apart, ("cpu",), TINY, 1.0)
    assert got[0] == within.Begun(0)
    lines = {line.name: line for line in got if isinstance(line, Line)}
    assert set(lines) == {
        *("cpu.h2d.pinned", "cpu.h2d.pageable", "cpu.bandwidth", "cpu.launch"),
        *("cpu.matmul.fp32", "cpu.matmul.fp16", "cpu.matmul.bf16"),
        *("cpu.clock.sm", "cpu.clock.memory", "cpu.power.draw", "cpu.temperature"),
        *("cpu.pcie.gen", "cpu.pcie.width"),
    }
    assert all(0.0 < line.value < math.inf for line in lines.values())
    assert lines["cpu.clock.sm"].value == 1755.0
    checks = [check for check in got if isinstance(check, Check)]
    assert [(check.name, check.ok) for check in checks] == [("cpu.throttle", True)]


@slow
@needs_torch
def test_heat_is_told(smi: Smi) -> None:
    """A card that heat holds down under load fails its check."""
    smi({**H100, "clocks_throttle_reasons.active": "0x0000000000000020"})
    got = apart(within.parts_apart, ("cpu",), TINY, 0.5)
    (check,) = [one for one in got if isinstance(one, Check)]
    assert check.ok is False
    assert "heat" in check.words


@slow
@needs_torch
def test_all_reduce() -> None:
    """Two processes reduce; one line tells the bus bandwidth."""
    (line,) = apart(reduce_apart, Group(("cpu", "cpu"), 1 << 20), 0.2)
    assert line.name == "allreduce.gpus2"
    assert 0.0 < line.value < 1e3


@slow
@needs_torch
def test_a_process_that_fails_ends_the_others() -> None:
    """Where one process fails, whichever says so first, none waits for it."""
    got: list[Any] = []
    group = Group(("cpu", "nonsense"), 1 << 20)
    ends = time.monotonic() + PATIENCE_S
    words = run_apart(reduce_apart, (group, 0.2), ends, got.append)
    assert words.startswith("RuntimeError: ")
    assert "time was up" not in words
    assert got == []


@slow
@needs_torch
@pytest.mark.parametrize("profile", ["resnet18", "vit-b16", "gpt2-124m", "bert-base"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_training(profile: str, precision: str) -> None:
    """Each profile is trained, and its loss falls: it is a training."""
    train = importlib.import_module("advisor.measure.probe.gpu.train")
    recipe = Recipe(profile, precision, is_tiny=True)
    training = train.Training(device(), recipe, 4)
    losses = [float(training.step()) for _ in range(12)]
    assert losses[-1] < losses[0]


@slow
@needs_torch
def test_synthetic(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line per recipe; FP32 and TF32 are as they were before it."""
    torch = importlib.import_module("torch")
    train = importlib.import_module("advisor.measure.probe.gpu.train")
    monkeypatch.setattr(train, "_LARGEST_BATCH", 8)  # no test of how many fit
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.benchmark
    line = train.synthetic(device(), Recipe("resnet18", "tf32", is_tiny=True), 0.2)
    assert line.name == "train.resnet18.tf32.eager.synthetic"
    assert line.note.startswith("batch 8, on the CPU")
    assert line.value > 0.0
    after = torch.get_float32_matmul_precision(), torch.backends.cudnn.benchmark
    assert before == after


@slow
@needs_torch
@pytest.mark.parametrize("tf32", [True, False])
def test_single_precision(tf32: bool) -> None:
    """Inside FP32 is what was asked for, after it what it was, even after an error."""
    torch = importlib.import_module("torch")
    timing = importlib.import_module("advisor.measure.probe.gpu.timing")

    def state() -> tuple[str, bool]:
        return torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32

    before, inside = state(), []

    def fails() -> None:
        with timing.single_precision(torch, tf32=tf32):
            inside.append(state())
            raise ArithmeticError

    with pytest.raises(ArithmeticError):
        fails()
    assert inside == [("high", True) if tf32 else ("highest", False)]
    assert state() == before


@slow
@needs_torch
def test_fed(tmp_path: Path) -> None:
    """Pictures from files reach the net through workers."""
    pytest.importorskip("PIL", reason="Pillow is not installed (extra `measure`)")
    fed = importlib.import_module("advisor.measure.probe.gpu.fed")
    paths = []
    for number, file in enumerate(jpegs()[:2]):
        path = tmp_path / f"{number}.jpg"
        path.write_bytes(file)
        paths.append(str(path))
    data = fed.Pictures(Feed(paths, 0))
    picture, target = data[3]
    assert picture.shape == (3, 224, 224)
    assert 0 <= target < 10
    line = fed.fed(device(), Recipe("resnet18", "fp32"), Feed(paths, 1, batch=2), 0.1)
    assert line.name == "train.resnet18.fp32.eager.fed"
    assert "1 workers" in line.note


@slow
@needs_torch
def test_without_a_gpu_the_cpu_trains() -> None:
    """A training rate of the CPU is what a machine without a GPU has."""
    result, told = Result("quick"), []
    ends = time.monotonic() + PATIENCE_S
    measure.measure_gpu(result, "quick", ends, lambda *one: told.append(one))
    assert [line.name for line in result.lines] == ["train.resnet18.fp32.eager.synthetic"]
    assert told[0] == ("resnet18, fp32", 0.0)
    assert result.skipped == []


@slow
@needs_torch
@pytest.mark.skipif(sys.platform != "linux", reason="limits the address space")
def test_what_does_not_fit_is_made_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where memory ends, the largest batch ends too, and no error is left."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    ends = importlib.import_module("ends")
    fits, batch, line = apart(ends.is_short_of_memory, 400 << 20)
    assert not fits
    assert 2 <= batch < 64
    assert line.value > 0.0


@slow
@needs_torch
def test_one_gpu_fails_and_the_next_is_measured() -> None:
    """A device that is not there is told, and the next one has its lines."""
    if importlib.import_module("torch").cuda.is_available():
        pytest.skip("the first device is to be missing")
    result = Result("quick")
    names = ("cuda:0", "cpu")
    part = measure._Part("parts", "gpu", within.parts_apart, (names, TINY), 60.0, 0.5)
    measure._run(result, part, 1.0, time.monotonic() + PATIENCE_S)
    (skipped,) = result.skipped
    assert skipped.name == "gpu0"
    assert "cpu.bandwidth" in {line.name for line in result.lines}


@slow
@needs_torch
def test_a_part_fails_and_the_next_is_measured() -> None:
    """What cannot be had is left out by name; after it the others come."""
    sizes = TINY._replace(copied_bytes=1 << 60)
    got = apart(within.parts_apart, ("cpu",), sizes, 0.5)
    (skipped,) = [one for one in got if isinstance(one, Skipped)]
    assert skipped.name == "cpu.h2d"
    assert "cpu.bandwidth" in {one.name for one in got if isinstance(one, Line)}


def plan(mode: str, gpus: int, capability: str = "9.0") -> list[Any]:
    result = Result(mode)
    result.machine["gpus"] = [{"compute_capability": capability}] * gpus
    result.checks = [Check(f"gpu{number}.kernel", True, "") for number in range(gpus)]
    return measure._plan(result, mode, ["0.jpg"], 4)


def test_quick_takes_under_a_minute() -> None:
    """One GPU's parts and one small net, by what each is said to take."""
    parts = plan("quick", 1)
    assert sum(part.fixed_s + part.readings_s for part in parts) < 50.0
    assert [part.name for part in parts] == ["gpu", "train.resnet18.amp.eager.synthetic"]


def test_all_reduce_of_some_and_of_all() -> None:
    """Quick reduces over all GPUs, full over 2, 4 ... too."""
    quick = [one.name for one in plan("quick", 6) if one.name.startswith("all")]
    assert quick == ["allreduce.gpus6"]
    full = [one.name for one in plan("full", 6) if one.name.startswith("all")]
    assert full == ["allreduce.gpus2", "allreduce.gpus4", "allreduce.gpus6"]


def test_a_gpu_without_a_kernel_is_left_alone() -> None:
    """What has run no product is not measured."""
    result = Result("quick")
    result.machine["gpus"] = [{"compute_capability": "9.0"}] * 2
    result.checks = [Check("gpu0.kernel", False, ""), Check("gpu1.kernel", True, "")]
    (parts, training) = measure._plan(result, "quick", (), 4)
    assert parts.arguments[0] == ("cuda:1",)
    assert training.arguments[0] == "cuda:1"


def test_no_gpu_computes() -> None:
    """Where GPUs fail, the CPU does not stand in for them."""
    result = Result("quick")
    result.machine["gpus"] = [{"compute_capability": "9.0"}]
    result.checks = [Check("gpu0.kernel", False, "")]
    assert measure._plan(result, "quick", (), 4) == []
    assert [one.name for one in result.skipped] == ["gpu"]


@pytest.mark.parametrize(
    ("capability", "precisions"),
    [(6.1, {"fp32"}), (7.5, {"amp"}), (8.9, {"amp", "bf16"})],
)
def test_precisions_that_a_card_has(capability: float, precisions: set[str]) -> None:
    """Half precision where tensor cores are, BF16 since Ampere."""
    recipes = usual_recipes(capability)
    assert {one.precision for one in recipes} == precisions
    assert any(one.compiled for one in recipes) is (capability >= 7.0)


def test_short_of_time() -> None:
    """What there is no time for is named; what there is gets what is left."""
    parts = plan("full", 1)
    kept, late = measure._in_time(parts, 60.0)
    assert kept[0].name == "gpu"
    assert late
    assert [*kept, *late] != []
    assert {one.name for one in kept}.isdisjoint(one.name for one in late)
    assert measure._in_time(parts, 0.0) == ([], parts)


def test_without_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without PyTorch nothing of the GPUs is measured, and that is said."""
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setattr(sys, "path", [])
    result = Result("quick")
    measure.measure_gpu(result, "quick", math.inf, lambda *_: None)
    assert result.skipped == [Skipped("gpu", "PyTorch is not installed")]
