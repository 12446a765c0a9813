"""`advisor workloads measure`, `from-hf`, `--dataset`, and a project's own file."""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Advisor = Callable[..., Any]
PROJECT = Path(__file__).parents[1] / "project"
NET = PROJECT / "net.py"
CONFIG = str(PROJECT / "config.json")
has_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None,
    reason="PyTorch is not installed (extra `measure`)",
)
slow = pytest.mark.slow  # importing PyTorch is
without_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is not None, reason="PyTorch is installed"
)


def measured(advisor: Advisor, function: str, shape: str, *more: str) -> Any:
    words = ("workloads", "measure", f"{NET}:{function}", "--input", shape)
    return advisor(*words, "--batch", "64", *more)


@without_torch
def test_without_pytorch_the_extra_is_named(advisor: Advisor) -> None:
    """The way out is one line: what to install, or what to use instead."""
    outcome = measured(advisor, "convolutions", "3x32x32")
    assert outcome.exit_code == 1
    assert "'.[measure]'" in outcome.stderr


@slow
@has_torch
def test_a_module_is_counted(advisor: Advisor) -> None:
    """Parameters, operations, activations and input of a small net, by hand."""
    assert measured(advisor, "convolutions", "3x32x32", "-o", "mine").exit_code == 0
    shown = advisor("workloads", "show", "mine", "--format", "json").document
    profile = shown["workload"]
    assert profile["parameters_m"] * 1e6 == pytest.approx(3 * 9 * 16 + 16 * 10 + 10)
    macs = 3 * 9 * 16 * 32 * 32 + 16 * 10
    assert profile["forward_gflops_per_sample"] * 1e9 == pytest.approx(2 * macs)
    # No gradient of the input: the first convolution costs twice, the output thrice.
    flops = 2 * (2 * 3 * 9 * 16 * 32 * 32 + 3 * 16 * 10)
    factor = flops / (2 * macs)
    assert profile["training_flops_factor"] == pytest.approx(factor, rel=0.01)
    assert profile["gpu_bytes_per_sample"] == 3 * 32 * 32 * 4
    assert 10 < profile["kernels_per_step"] < 60
    image, maps = 3 * 32 * 32, 16 * 32 * 32
    kept = profile["activation_mb_per_sample"] * 1e6
    assert 2 * maps <= kept <= 8 * (image + maps)
    assert (profile["batch_size"], profile["precision"]) == (64, "amp")


@slow
@has_torch
def test_tokens_are_counted(advisor: Advisor) -> None:
    """Whole numbers go in, and a dictionary with a floating tensor comes out."""
    words = ("--precision", "fp32", "--extends", "bert-base")
    outcome = measured(advisor, "tokens", "16:long", *words)
    assert outcome.exit_code == 0
    assert "forward_gflops_per_sample = 0.0001024" in outcome.stdout
    assert 'sample = "sequence of 16 tokens"' in outcome.stdout


@slow
@has_torch
def test_series_are_counted(advisor: Advisor) -> None:
    """What is neither picture nor text is counted; data of nobody's are marked."""
    target = f"{PROJECT / 'layers.py'}:lstm"
    words = ("workloads", "measure", target, "--batch", "64", "--input", "20x30")
    outcome = advisor(*words)
    assert outcome.exit_code == 0
    assert "not yours; --extends" in outcome.stderr
    assert 'epochs = "assumption: of resnet50' in outcome.stdout
    assert 'sample = "input 20x30"' in outcome.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--input", "16:long"), "--extends is needed"),
        (("--input", "365x30", "-o", "mine"), "--extends is needed"),
        (("--input", "365x30", "--dataset", "."), "--extends is needed"),
        (("--input", "3x8x8", "--input", "scalar:long"), "--extends is needed"),
        (("--input", "3x8x8", "--extends", "resnet5"), "resnet50"),
        (("--input", "3x8x8", "-o", "resnet50"), "built-in profile"),
        (("--input", "3x8x8", "--dataset", "absent"), "no folder"),
        (("--input", "3x8x8", "--dataset", "absent.py:make"), "absent.py"),
        (("--input", "3x8x8", "--dataset", ".", "--dataset", "."), "one folder"),
    ],
)
def test_what_is_checked_before_anything_is_counted(
    advisor: Advisor, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    """Nothing is loaded or run for an answer that cannot be given."""
    (tmp_path / "0.jpg").write_bytes(b"x")
    script = tmp_path / "never.py"
    script.write_text("raise SystemExit('it was run')\n")
    target = f"{script}:build"
    outcome = advisor("workloads", "measure", target, "--batch", "8", *arguments)
    assert outcome.exit_code == 2
    assert words in outcome.stderr
    assert "it was run" not in outcome.stderr


def test_no_profile_hides_another_unasked(advisor: Advisor, tmp_path: Path) -> None:
    """Neither a built-in one nor the project's is hidden or hides without --force."""
    (tmp_path / "advisor.toml").write_text('[workloads.ours]\nextends = "resnet18"\n')
    for name, words in (("resnet50", "built-in"), ("ours", "advisor.toml")):
        new = ("workloads", "new", name, "--extends", "resnet50")
        refused = advisor(*new)
        assert refused.exit_code == 2
        assert words in refused.stderr
        assert advisor(*new, "--force").exit_code == 0


@slow
@has_torch
@pytest.mark.parametrize(
    ("function", "shape", "words"),
    [
        ("no_module", "3x32x32", "torch.nn.Module"),
        ("fails", "3x32x32", "out of luck"),
        ("absent", "3x32x32", "no function absent"),
        ("convolutions", "5x32x32", "fails on a batch"),
        ("convolutions", "3x", "--input"),
        ("convolutions", "0x3", "--input"),
        ("convolutions", "3:byte", "--input"),
    ],
)
def test_what_cannot_be_counted(
    advisor: Advisor, function: str, shape: str, words: str
) -> None:
    """One line says what is wrong, with exit code 2."""
    outcome = measured(advisor, function, shape)
    assert outcome.exit_code == 2
    assert words in outcome.stderr


def test_a_configuration_is_a_profile(advisor: Advisor) -> None:
    """Llama 3.2 1B by formula: published parameters, and it ranks offers."""
    words = ("workloads", "from-hf", CONFIG, "--tokens", "512", "--batch", "4")
    assert advisor(*words, "-o", "mine").exit_code == 0
    profile = advisor("workloads", "show", "mine", "--format", "json").document[
        "workload"
    ]
    assert profile["parameters_m"] == pytest.approx(1235.8, rel=0.001)
    assert profile["batch_size"] == 4
    assert profile["sample"] == "sequence of 512 tokens"
    assert advisor("rank", "--workload", "mine", "--top", "1").exit_code == 0
    lora = advisor(*words, "--lora", "16")
    assert "gradient_checkpointing = true" in lora.stdout


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"hidden_size": None}, "missing: hidden_size"),
        ({"hidden_size": "2048"}, "hidden_size: a whole number"),
        ({"num_hidden_layers": 0}, "num_hidden_layers: a whole number"),
        ({"num_key_value_heads": 64}, "no more than 32"),
    ],
)
def test_a_configuration_that_is_not_covered(
    advisor: Advisor, tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    """File and key are named, exit code 2."""
    document = json.loads(Path(CONFIG).read_text()) | change
    config = tmp_path / "config.json"
    config.write_text(json.dumps(document))
    outcome = advisor("workloads", "from-hf", str(config), "--tokens", "512")
    assert outcome.exit_code == 2
    assert "config.json" in outcome.stderr
    assert words in outcome.stderr


@pytest.mark.parametrize("content", ["", "[1]", "{", "<html>"])
def test_a_configuration_that_is_none(
    advisor: Advisor, tmp_path: Path, content: str
) -> None:
    """A file of something else is named."""
    config = tmp_path / "config.json"
    config.write_text(content)
    outcome = advisor("workloads", "from-hf", str(config), "--tokens", "512")
    assert outcome.exit_code == 2
    assert "config.json" in outcome.stderr


def test_a_text_model_needs_a_data_set(advisor: Advisor, tmp_path: Path) -> None:
    """A file of texts is no sample; the user's own data set tells how many there are."""
    data = tmp_path / "set"
    data.mkdir()
    (data / "all.jsonl").write_text("{}\n" * 1000)
    script = tmp_path / "data.py"
    script.write_text("print('hello')\ndef make():\n    return list(range(1234))\n")
    words = ("workloads", "from-hf", CONFIG, "--tokens", "64")
    refused = advisor(*words, "--dataset", str(data))
    assert refused.exit_code == 2
    assert "SCRIPT.py:FUNCTION" in refused.stderr
    outcome = advisor(*words, "--dataset", "data.py:make")
    assert outcome.exit_code == 0
    assert "samples_per_epoch = 1234" in outcome.stdout
    assert "hello" not in outcome.stdout
    for folder in ("empty", "absent"):
        (tmp_path / "empty").mkdir(exist_ok=True)
        outcome = advisor(*words, "--dataset", folder)
        assert outcome.exit_code == 2


@slow
@has_torch
def test_pictures_are_prepared(advisor: Advisor, tmp_path: Path) -> None:
    """With Pillow the time to prepare a picture here becomes that of a reference core."""
    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    for at in range(3):
        image.effect_noise((320, 240), 40).convert("RGB").save(tmp_path / f"{at}.jpg")
    (tmp_path / "broken.jpg").write_bytes(b"x")
    words = ("--dataset", str(tmp_path), "-o", "mine")
    outcome = measured(advisor, "convolutions", "3x32x32", *words)
    assert outcome.exit_code == 0
    assert "1 of 4 files that were tried are broken" in outcome.stderr
    profile = advisor("workloads", "show", "mine", "--format", "json").document[
        "workload"
    ]
    assert profile["samples_per_epoch"] == 3
    assert 0.01 < profile["cpu_ms_per_sample"] < 1000
    source = profile["sources"]["cpu_ms_per_sample"]
    assert "decode, random crop, flip and normalize to 32x32" in source
    assert "augmentation" not in source


def test_the_project_of_the_tests(advisor: Advisor, tmp_path: Path) -> None:
    """A repository's advisor.toml is found from the working folder."""
    shutil.copy(PROJECT / "advisor.toml", tmp_path)
    assert advisor("workloads", "validate").exit_code == 0
    document = advisor("rank", "--workload", "small", "--top", "1", "--json").document
    assert document["workload"]["epochs"] == 12
    assert document["workload"]["batch_size"] == 512
