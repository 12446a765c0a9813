"""Operations of nets that are known on paper, counted with PyTorch."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from advisor.base.errors import UsageError
from advisor.workloads.inputs import Input, Inputs
from advisor.workloads.load import load_workload
from advisor.workloads.measure import Counted, count, measured_profile
from advisor.workloads.operations import unknown
from advisor.workloads.parse import checked_workload
from advisor.workloads.script import load_function
from tests.conftest import CASES

pytestmark = pytest.mark.slow  # importing PyTorch is

NETS = Path(__file__).parents[1] / "project" / "layers.py"


def counted(place: Path, function: str, *shapes: str, precision: Any = "fp32") -> Counted:
    pytest.importorskip("torch", reason="PyTorch is not installed (extra `measure`)")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's own, of nets as users write them
        build = load_function(f"{place}:{function}", place.parent)
        return count(build, Inputs.parse(shapes), precision)


def rnn(gates: int, rows: int, sizes: list[tuple[int, int]]) -> float:
    """GFLOP of layers of (input, hidden) numbers over rows."""
    return 2e-9 * rows * sum(gates * hidden * (into + hidden) for into, hidden in sizes)


ATTENTION = 4 * 64 * 64 * 32 / 1e9
ENCODER = 2 * (2 * 64 * (4 * 32**2 + 2 * 32 * 64) + 4 * 64**2 * 32) / 1e9
# An encoder of 20 and a decoder of 10 tokens, whose second attention sees the 20.
SEQUENCES = (20 * (8 * 32**2 + 4 * 32 * 64) + 4 * 20**2 * 32) / 1e9
SEQUENCES += (10 * (8 * 32**2 + 4 * 32 * 64) + 4 * 10**2 * 32) / 1e9
SEQUENCES += (4 * 10 * 32**2 + 4 * 20 * 32**2 + 4 * 10 * 20 * 32) / 1e9
BOTH = [(30, 16), (30, 16), (32, 16), (32, 16)]


@pytest.mark.parametrize("precision", ["fp32", "amp"])
@pytest.mark.parametrize(
    ("function", "shapes", "gflop", "factor"),
    [
        ("lstm", ["20x30"], rnn(4, 20, [(30, 16)]), (3 * 46 - 30) / 46),
        ("time_first", ["20xBx30"], rnn(4, 20, [(30, 16)]), (3 * 46 - 30) / 46),
        ("both_ways", ["20x30"], rnn(4, 20, BOTH), None),
        ("packed", ["20x30"], rnn(4, 20, BOTH), None),
        ("gru", ["20x30"], rnn(3, 20, BOTH), None),
        ("plain_rnn", ["20x30"], rnn(1, 20, BOTH), None),
        ("projected", ["20x30"], 2e-9 * 20 * (64 * (30 + 8) + 16 * 8), None),
        ("cells", ["20x30"], rnn(4, 20, [(30, 16)]), None),
        ("attention", ["64x32"], ATTENTION, None),
        ("dropped", ["64x32"], ATTENTION, None),
        ("masked", ["64x32", "mask=64x64:bool"], ATTENTION, None),
        ("encoder", ["64x32"], ENCODER, None),
        ("frozen_encoder", ["64x32"], ENCODER + 2 * 64 * 32 * 4 / 1e9, None),
        ("two_inputs", ["3x8x8", "scalar:long"], 2 * 64 * 27 * 4 / 1e9, None),
        ("two_inputs", ["3x8x8", "t=scalar:long"], 2 * 64 * 27 * 4 / 1e9, None),
        ("with_loss", ["ids=16:long", "labels=16:long"], 2 * 16 * 8 * 50 / 1e9, 3.0),
        ("depthwise", ["8x10x10"], 2 * 64 * 9 * 8 / 1e9, 3.0 - 1.0),
        ("upward", ["8x10x10"], 2 * 100 * 4 * 8 * 4 / 1e9, 3.0 - 1.0),
        ("two_heads", ["16"], 2 * 16 * 3 * 8 / 1e9, 3.0 - 1.0),
        ("lazy", ["16"], 2 * 16 * 8 / 1e9, 3.0 - 1.0),
        ("two_sequences", ["20x32", "10x32"], SEQUENCES, None),
        ("bilinear", ["16"], 2 * 16 * 16 * 4 / 1e9, None),
        ("compiled", ["16"], 2 * 16 * 8 / 1e9, 3.0 - 1.0),
        ("formula_given", ["16"], 1000 / 1e9, 1.0),
    ],
)
def test_by_hand(
    function: str, shapes: list[str], gflop: float, factor: float | None, precision: str
) -> None:
    """GFLOP of a forward pass; a backward pass once or twice as many."""
    found = counted(NETS, function, *shapes, precision=precision)
    assert found.forward_flops / 1e9 == pytest.approx(gflop, rel=1e-6)
    ratio = found.training_flops / found.forward_flops
    if factor is None:
        assert 1.0 < ratio <= 3.0
    else:
        assert ratio == pytest.approx(factor, rel=1e-6)


@pytest.mark.parametrize("precision", ["fp32", "amp"])
def test_a_scripted_lstm_by_hand(precision: str) -> None:
    """A script hides the call: a layer of oneDNN's counts twice backward.

    Where oneDNN has none (mixed precision on a CPU without AVX-512) each product is seen.
    Neither the input nor the first of the 20 states needs a gradient there.
    """
    found = counted(NETS, "scripted", "20x30", precision=precision)
    assert found.forward_flops / 1e9 == pytest.approx(rnn(4, 20, [(30, 16)]), rel=1e-6)
    factors = [3.0]
    if precision == "amp":
        factors.append((3 * 46 - 30 - 16 / 20) / 46)
    ratio = found.training_flops / found.forward_flops
    assert min(abs(ratio / one - 1.0) for one in factors) < 1e-6


@pytest.mark.parametrize(
    ("function", "shape", "per_sample"),
    [
        ("spectrum", "64", 2.5 * 64 * 6 * 2),
        ("distances", "10x8", 3 * 10 * 10 * 8),
        ("inverse", "8x8", 2 * 8**3),
        ("in_place", "16", 2 * 16 * 8),
        ("sparse", "16", 2 * 3),
    ],
)
def test_what_pytorchs_counter_leaves_out(
    function: str, shape: str, per_sample: float
) -> None:
    """Fourier transforms, distances, inverses, products in place or with few entries."""
    found = counted(NETS, function, shape)
    linear = 2 * 64 if function == "spectrum" else 0
    assert found.forward_flops == pytest.approx(per_sample + linear * 64, rel=1e-6)


def test_fused_attention_keeps_no_scores() -> None:
    """As on a GPU, with dropout and without."""
    plain, dropped = (
        counted(NETS, "attention", "64x32"),
        counted(NETS, "dropped", "64x32"),
    )
    assert plain.activation_bytes == dropped.activation_bytes
    assert plain.activation_bytes < 4 * 4 * 64 * 64  # scores of four heads


def test_an_rnn_launches_two_kernels_a_time_step() -> None:
    """Whether its cells are fused here or not: as cuDNN runs it."""
    for function in ("lstm", "gru", "plain_rnn"):
        short, long = (counted(NETS, function, shape) for shape in ("20x30", "40x30"))
        layers = 1 if function == "lstm" else 4
        assert long.kernels - short.kernels == 3 * 2 * 20 * layers


@pytest.mark.parametrize(
    ("function", "shape", "words"),
    [
        ("custom", "16", "mine::hidden.*register_flop_formula"),
        ("singular", "8x8", "aten::_linalg_svd"),
        ("time_first", "20x30", "B marks its place"),
        ("tokens_first", "64x32", "B marks its place"),
        ("skips", "16", "skips layers at random"),
        ("nothing", "16", "no operation was counted"),
    ],
)
def test_what_cannot_be_counted_is_refused(function: str, shape: str, words: str) -> None:
    """Never taken for nothing: one line says which it is and what to do."""
    with pytest.raises(UsageError, match=words) as refused:
        counted(NETS, function, shape)
    assert "\n" not in str(refused.value)


CASE_LIST = (
    json.loads((CASES / "expected.json").read_text())["measure"] if CASES.exists() else []
)


@pytest.mark.skipif(not CASE_LIST, reason="../shared/cases is not there")
@pytest.mark.parametrize("case", CASE_LIST, ids=lambda case: case["net"])
def test_the_cases(case: dict[str, Any]) -> None:
    """Nets of public bug reports, their operations known on paper."""
    file, _, function = case["net"].partition(":")
    found = counted(CASES / "torch" / file, function, case["input"])
    assert found.forward_flops / 1e9 == pytest.approx(case["forward_gflops"], rel=0.01)


def test_every_operator_of_pytorch_is_of_a_kind() -> None:
    """What multiplies matrices by name is told from what only sounds like it."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    names = {schema.name for schema in torch._C._jit_get_all_schemas()}
    asked: Callable[[str], bool] = unknown
    for name in ("mm", "_grouped_mm", "mkldnn_linear", "conv_tbc", "linalg_svd"):
        assert f"aten::{name}" in names
        assert asked(f"aten::{name}"), name
    for name in ("digamma", "upsample_bilinear2d", "_conj", "linalg_vector_norm", "add"):
        assert f"aten::{name}" in names
        assert not asked(f"aten::{name}"), name
    assert asked("xformers::efficient_attention_forward_cutlass")
    assert not asked("torchvision::nms")


@pytest.mark.parametrize("name", ["llama-8b-qlora", "wan-lora", "gpt2-124m", "resnet50"])
@pytest.mark.parametrize("trained", [0.01, 1.0])
def test_a_counted_net_has_nothing_of_its_base_s_tokens(
    name: str, trained: float
) -> None:
    """Its own tokens, no padding, and a technique that its trained weights allow."""
    inputs = Inputs((Input.parse("256:long"),))
    found = Counted(1_000_000, int(1_000_000 * trained), 1e9, 3e9, 1e6, 100.0, 2048.0)
    base = load_workload(name)
    profile = measured_profile(base, found, inputs, "mine", 8, "bf16")
    assert checked_workload(profile) == profile
    assert profile.tokens_per_sample == 256
    assert profile.padding_share == profile.checkpointed_mb_per_sample == 0.0
    assert profile.technique == ("full" if trained == 1.0 else base.technique)
