"""`advisor workloads from-hf`: a profile from a configuration, or what is wrong."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Advisor = Callable[..., Any]
NETS: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "workloads" / "hf_architectures.json").read_text(
        encoding="utf-8"
    )
)


@pytest.fixture
def from_hf(advisor: Advisor, tmp_path: Path) -> Advisor:
    """Return a function that makes a profile of a configuration."""

    def run(config: Any, *words: str) -> Any:
        path = tmp_path / "config.json"
        text = config if isinstance(config, str) else json.dumps(config)
        path.write_text(text, encoding="utf-8")
        return advisor("workloads", "from-hf", str(path), *words)

    return run


@pytest.fixture
def profile(advisor: Advisor, from_hf: Advisor) -> Callable[..., dict[str, Any]]:
    """Return a function that returns the profile of a configuration."""

    def run(config: Any, *words: str) -> dict[str, Any]:
        outcome = from_hf(config, *words, "-o", "mine", "--force")
        assert outcome.exit_code == 0, outcome.stderr
        shown = advisor("workloads", "show", "mine", "--format", "json").document
        return dict(shown["workload"])

    return run


def test_a_mixture_of_experts(profile: Callable[..., dict[str, Any]]) -> None:
    """Mixtral: memory of all parameters, operations of those that a token goes to."""
    found = profile(NETS["mixtral-8x7b"]["config"], "--tokens", "512")
    assert found["parameters_m"] == pytest.approx(46_702.8, rel=0.001)
    gflops = 2.0 * 12.75e9 * 512 / 1e9  # 12.9 billion, less words that are looked up
    assert found["forward_gflops_per_sample"] == pytest.approx(gflops, rel=0.02)
    assert "12,880 million" in found["sources"]["parameters_m"]


def test_an_encoder_with_a_decoder(profile: Callable[..., dict[str, Any]]) -> None:
    """FLAN-T5: gates, a head of its own, tokens read and written apart."""
    words = ("--tokens", "512", "--target-tokens", "128")
    found = profile(NETS["flan-t5-large"]["config"], *words)
    assert found["parameters_m"] == pytest.approx(783.2, rel=0.001)
    assert found["sample"] == "512 tokens read and 128 written"
    alike = profile(NETS["flan-t5-large"]["config"], "--tokens", "512")
    assert alike["forward_gflops_per_sample"] > found["forward_gflops_per_sample"]
    assert "assumption" in alike["sources"]["forward_gflops_per_sample"]


def test_speech(profile: Callable[..., dict[str, Any]]) -> None:
    """Whisper small hears 30 s, whatever it writes; the base is Whisper's own."""
    found = profile(NETS["whisper-small"]["config"], "--tokens", "64")
    assert found["sample"] == "30 s of sound and 64 tokens"
    assert found["parameters_m"] == pytest.approx(241.7, rel=0.001)
    assert "that of whisper-small" in found["sources"]["samples_per_epoch"]


def test_a_tower_needs_no_tokens(profile: Callable[..., dict[str, Any]]) -> None:
    """ViT-B/16: the operations of torchvision's own figure, 35.1 GFLOPs."""
    found = profile(NETS["vit-base"]["config"])
    assert found["sample"] == "image 224x224"
    assert found["forward_gflops_per_sample"] == pytest.approx(35.128, rel=0.005)
    assert found["gpu_bytes_per_sample"] == 3 * 224 * 224 * 4
    assert found["sources"]["disk_bytes_per_sample"] == "assumption: that of vit-b16"


def test_tokens_of_a_tower_are_told(from_hf: Advisor) -> None:
    """A number of tokens has no effect where none are read, which is said."""
    outcome = from_hf(NETS["vit-base"]["config"], "--tokens", "197")
    assert outcome.exit_code == 0
    assert "--tokens has no effect" in outcome.stderr
    assert 'sample = "image 224x224"' in outcome.stdout


def test_a_decoder_that_sees(from_hf: Advisor) -> None:
    """Gemma 3: one image a sample is an assumption, which is told."""
    outcome = from_hf(NETS["gemma-3-4b"]["config"], "--tokens", "512", "--lora", "16")
    assert outcome.exit_code == 0
    assert "one image of 896x896" in outcome.stderr
    assert "image 896x896 and 512 tokens" in outcome.stdout


def test_what_the_file_does_not_state_is_told(from_hf: Advisor) -> None:
    """Sizes taken as the library does are named on stderr, with their values."""
    config = dict(NETS["falcon-7b"]["config"])
    del config["parallel_attn"]
    outcome = from_hf(config, "--tokens", "128")
    assert "parallel_attn True" in outcome.stderr
    assert "parallel_attn" not in outcome.stdout


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"model_type": "mystery", "hidden_size": 8}, "model_type 'mystery'"),
        ({"model_type": "mystery", "auto_map": {"AutoModel": "x.Y"}}, "never run"),
        ({"hidden_size": 8}, "missing: model_type"),
        ('{"model_type": "gpt2", "n_embd": NaN}', "NaN is no number"),
        ('{"model_type": "gpt2", "n_embd": 76', "not valid JSON"),
        ("<html></html>", "not valid JSON"),
        ('["gpt2"]', "a JSON object is expected"),
    ],
)
def test_what_nobody_knows_is_refused(from_hf: Advisor, config: Any, words: str) -> None:
    """An unknown type, code of its own, and files that are something else, by name."""
    outcome = from_hf(config, "--tokens", "128")
    assert outcome.exit_code == 2
    assert words in outcome.stderr
    assert "config.json" in outcome.stderr
    assert not outcome.stdout


@pytest.mark.skipif(
    importlib.util.find_spec("transformers") is not None,
    reason="Transformers is installed, and knows it",
)
def test_the_extra_is_named(from_hf: Advisor) -> None:
    """A type that the library alone knows: what to install, and what else to do."""
    outcome = from_hf(NETS["gpt-oss-20b"]["config"], "--tokens", "128")
    assert outcome.exit_code == 2
    assert "'gpt_oss'" in outcome.stderr
    assert "the extra 'hf'" in outcome.stderr
    assert "workloads new" in outcome.stderr
