"""Nets of the hub by formula, against the library's own count and published figures."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.base.errors import UsageError
from advisor.workloads.hf.families import KNOWN, net_by_formula
from advisor.workloads.hf.multimodal import SEEING
from advisor.workloads.hf.needs import look_at, needs
from advisor.workloads.hf.net import Net
from advisor.workloads.hf.settings import Settings, read_config

NETS: dict[str, Any] = json.loads(
    Path(__file__).with_name("hf_architectures.json").read_text(encoding="utf-8")
)
"""Name -> configuration, published parameters, and what a version of the library counts;
`tools/hf_counts.py` counts again."""

BOTH = sorted(
    name
    for name, net in NETS.items()
    if net["counted"] and net["config"]["model_type"] in KNOWN
)
COUNTED_TOKENS = 64
CASES = Path(__file__).parents[2] / ".." / "shared" / "cases" / "hf"

OTHERWISE = {
    "deepseek-v2-lite.json": "layers without experts are not stated, and none is usual",
    "flan-t5-large.json": "gates are not stated, and none are usual",
}
"""Cases whose file, cut short, says something else than what is published."""


def net_of(config: dict[str, Any]) -> Net:
    return net_by_formula(Settings(config, "config.json"))


@pytest.mark.parametrize("name", BOTH)
def test_the_formula_is_the_librarys_count(name: str) -> None:
    """Every matrix, bias and norm: the same number, all and active."""
    net = net_of(NETS[name]["config"])
    assert net.parameters == NETS[name]["counted"]["parameters"]
    assert net.active_parameters == NETS[name]["counted"]["active"]


def test_enough_is_claimed() -> None:
    """At least 25 types of model by formula, at least 40 counted by the library."""
    kinds = {NETS[name]["config"]["model_type"] for name in BOTH}
    assert len(kinds) >= 25
    assert kinds | {"chatglm"} == KNOWN  # the library has GLM-4 under a name of its own
    assert len({n["config"]["model_type"] for n in NETS.values() if n["counted"]}) >= 40


@pytest.mark.parametrize(
    "name",
    [name for name in sorted(NETS) if NETS[name]["config"]["model_type"] in KNOWN],
)
def test_published_parameters(name: str) -> None:
    """What is published is met by formula within 1 %, where it is not rounded."""
    published = NETS[name]["published_m"]
    rel = 0.04 if name == "electra-small-mlm" else 0.01  # 14 M in its paper
    found = net_of(NETS[name]["config"]).parameters / 1e6
    assert found == pytest.approx(published, rel=rel)


RUN_WHOLE = [
    name
    for name in BOTH
    if NETS[name]["counted"]["forward_flops"]
    and NETS[name]["config"]["model_type"] not in {*SEEING, "mamba"}
]
"""Nets whose pass on the meta device is what a training does: with an image among the
words it sees none, and Mamba's scan is one kernel on a GPU and a loop there."""


@pytest.mark.parametrize("name", RUN_WHOLE)
def test_operations_are_what_pytorch_counts(name: str) -> None:
    """Within 1 %, what the causal mask hides included."""
    net = net_of(NETS[name]["config"])
    found = net.forward_flops(COUNTED_TOKENS, COUNTED_TOKENS, whole=True)
    assert found == pytest.approx(NETS[name]["counted"]["forward_flops"], rel=0.01)


@pytest.mark.skipif(not CASES.is_dir(), reason="the cases of ../shared are not there")
def test_cases() -> None:
    """Configurations as people cut them short: published parameters within 1 %."""
    truth = json.loads((CASES / "truth_params_m.json").read_text(encoding="utf-8"))
    found = {
        case: net_by_formula(Settings(read_config(CASES / case), case)).parameters / 1e6
        for case in truth
    }
    apart = {case for case, one in found.items() if abs(one / truth[case] - 1) > 0.01}
    assert apart == OTHERWISE.keys()


def mixture(experts: int, sent: int) -> Net:
    config = {**NETS["mixtral-8x7b"]["config"], "num_local_experts": experts}
    return net_of({**config, "num_experts_per_tok": sent})


@given(st.integers(2, 64), st.data())
def test_memory_holds_all_experts_and_operations_are_of_some(
    experts: int, data: st.DataObject
) -> None:
    """More experts are more parameters; operations grow with those sent to alone."""
    sent = data.draw(st.integers(1, experts))
    few, many = mixture(experts, sent), mixture(2 * experts, sent)
    assert many.parameters > 1.5 * few.parameters
    assert few.active_parameters <= few.parameters
    assert many.forward_flops(512, 0) == pytest.approx(
        few.forward_flops(512, 0), rel=0.02
    )
    kept = many.kept_bytes(512, 0, autocast=False)
    assert kept == few.kept_bytes(512, 0, autocast=False)


@given(st.sampled_from(BOTH), st.integers(8, 4096))
def test_operations_grow_with_tokens(name: str, tokens: int) -> None:
    """Twice the tokens are at most four times the operations, and what is kept twice."""
    net = net_of(NETS[name]["config"])
    once, twice = (net.forward_flops(n, n) for n in (tokens, 2 * tokens))
    assert once <= twice <= 4.0 * once
    kept, more = (net.kept_bytes(n, n, autocast=True) for n in (tokens, 2 * tokens))
    assert 0.0 < kept <= more <= 2.0 * kept * (1.0 + 1e-9)
    assert net.forward_flops(tokens, tokens, whole=True) >= once


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("llama-3.1-8b", {"hidden_size": None}, "missing: hidden_size"),
        ("llama-3.1-8b", {"hidden_size": "4096"}, "hidden_size: a whole number"),
        ("llama-3.1-8b", {"hidden_size": 4096.0}, "hidden_size: a whole number"),
        ("llama-3.1-8b", {"hidden_size": True}, "hidden_size: a whole number"),
        ("llama-3.1-8b", {"num_hidden_layers": 0}, "num_hidden_layers: a whole number"),
        ("llama-3.1-8b", {"num_hidden_layers": 10**6}, "num_hidden_layers"),
        ("llama-3.1-8b", {"num_attention_heads": 33}, "num_attention_heads: a divisor"),
        ("llama-3.1-8b", {"num_key_value_heads": 64}, "no more than 32"),
        ("llama-3.1-8b", {"intermediate_size": None}, "missing: intermediate_size"),
        ("llama-3.1-8b", {"tie_word_embeddings": "no"}, "true or false"),
        ("qwen2-7b", {"num_key_value_heads": None}, "missing: num_key_value_heads"),
        ("mixtral-8x7b", {"num_experts_per_tok": 9}, "no more than the 8 experts"),
        ("flan-t5-large", {"d_ff": None}, "missing: d_ff"),
        ("flan-t5-large", {"feed_forward_proj": 1}, "feed_forward_proj: a text"),
        ("bart-large", {"encoder_attention_heads": 7}, "encoder_attention_heads"),
        ("vit-base", {"patch_size": 500}, "patch_size"),
        ("dinov2-base", {"mlp_ratio": -4}, "mlp_ratio: a number above 0"),
        ("gemma-3-4b", {"vision_config": None}, "vision_config: an object"),
        ("gemma-3-4b", {"text_config": []}, "text_config: an object"),
        ("gemma-3-4b", {"text_config": {"hidden_size": 0}}, "text_config.hidden_size"),
        ("llava-1.5-7b", {"text_config": {"model_type": "mystery"}}, "model_type"),
        ("deberta-v3-base", {"pos_att_type": [1]}, "a list of texts"),
        ("gpt2", {"model_type": ["gpt2"]}, "model_type: a text"),
    ],
)
def test_what_cannot_be_is_refused_by_name(
    name: str, change: dict[str, Any], words: str
) -> None:
    """Sizes that are missing, no whole numbers, or do not go together; nested too."""
    with pytest.raises(UsageError) as caught:
        net_of(NETS[name]["config"] | change)
    assert words in str(caught.value)
    assert "config.json" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "tokens", "target", "words"),
    [
        ("bert-base", 513, None, "positions for 512"),
        ("whisper-small", 449, None, "positions for 448"),
        ("gpt2", None, None, "tokens is missing"),
        ("gpt2", 128, 64, "target_tokens"),
    ],
)
def test_tokens_that_do_not_go_with_the_net(
    name: str, tokens: int | None, target: int | None, words: str
) -> None:
    """More than there are positions, none where they are needed, two where one is."""
    known = look_at(Settings(NETS[name]["config"], "config.json"), None)
    with pytest.raises(UsageError, match=words):
        needs(known, tokens, target, None, autocast=False)


def test_positions_that_are_not_stated_are_no_limit() -> None:
    """A file cut short may have more of them than is usual; what is stated is a limit."""
    config = dict(NETS["xlm-roberta-large"]["config"])
    assert net_of(config).limit == 512
    del config["max_position_embeddings"]
    assert net_of(config).limit is None


def test_a_head_that_is_not_the_embedding() -> None:
    """BERT with words and head apart: a matrix more, the same operations."""
    config = NETS["bert-large-mlm"]["config"]
    tied, apart = net_of(config), net_of({**config, "tie_word_embeddings": False})
    assert apart.parameters - tied.parameters == 1024 * 30_522
    assert apart.forward_flops(128, 0) == tied.forward_flops(128, 0)


def test_a_state_space_takes_no_adapters() -> None:
    """Mamba has no projections of queries and values."""
    known = look_at(Settings(NETS["mamba-1.4b"]["config"], "config.json"), None)
    with pytest.raises(UsageError, match="no query and value projections"):
        needs(known, 128, None, 8, autocast=False)


def test_a_head_may_be_left_out() -> None:
    """A task of the user's goes before what the file states; a wrong one is refused."""
    settings = Settings(NETS["modernbert-base"]["config"], "config.json")
    masked, alone = net_by_formula(settings), net_by_formula(settings, "encoder")
    assert masked.vocabulary > 0 == alone.vocabulary
    assert masked.parameters > alone.parameters
    with pytest.raises(UsageError, match="task seq2seq: modernbert"):
        net_by_formula(settings, "seq2seq")


has_library = pytest.mark.skipif(
    not all(importlib.util.find_spec(one) for one in ("torch", "transformers")),
    reason="Transformers or PyTorch is not installed (extra `hf`)",
)


@pytest.mark.slow
@has_library
@pytest.mark.parametrize(
    "name", [name for name, net in sorted(NETS.items()) if net["counted"]]
)
def test_the_library_counts_as_it_did(name: str) -> None:
    """Every net is built as the stored count says, of whatever version is installed."""
    from advisor.workloads.hf import library  # noqa: PLC0415

    built = library.build(Settings(NETS[name]["config"], name), None)
    stored = NETS[name]["counted"]
    assert built.name == stored["class"]
    assert built.parameters == pytest.approx(stored["parameters"], rel=1e-3)
    assert built.active == pytest.approx(stored["active"], rel=1e-3)


@pytest.mark.slow
@has_library
def test_code_of_the_hub_is_never_run(tmp_path: Path) -> None:
    """A known type is built by the library's own class, whatever auto_map names."""
    marker = tmp_path / "ran"
    (tmp_path / "modeling.py").write_text(f"open({str(marker)!r}, 'w').close()")
    config = NETS["phi-3-mini"]["config"] | {
        "auto_map": {"AutoModelForCausalLM": "modeling.Net"},
        "_name_or_path": str(tmp_path),
    }
    known = look_at(Settings(config, "config.json"), None)
    assert known.built is not None
    assert known.built.name == "Phi3ForCausalLM"
    assert not marker.exists()
    assert any("auto_map" in note for note in known.notes)


@pytest.mark.slow
@has_library
def test_a_size_that_the_library_would_believe_is_refused() -> None:
    """Types known to the library alone: no text, no zero, no million layers."""
    for change in (
        {"hidden_size": "x"},
        {"num_hidden_layers": 0},
        {"num_attention_heads": 0.5},
        {"num_experts_per_tok": 33},
    ):
        config = NETS["gpt-oss-20b"]["config"] | change
        with pytest.raises(UsageError, match=next(iter(change))):
            look_at(Settings(config, "config.json"), None)


@pytest.mark.slow
@has_library
@pytest.mark.parametrize("name", ["gpt-oss-20b", "phi-3.5-moe", "nomic-bert-2048"])
def test_a_net_that_the_library_alone_knows(name: str) -> None:
    """Parameters and operations as it counts them, memory from the outline."""
    known = look_at(Settings(NETS[name]["config"], "config.json"), None)
    found = needs(known, 256, None, 8, autocast=False)
    assert found.parameters == NETS[name]["counted"]["parameters"]
    active = NETS[name]["counted"]["active"]
    assert found.forward_flops == pytest.approx(2.0 * active * 256, rel=0.35)
    assert 1e6 < found.kept_bytes < 1e10
    assert 1e5 < found.trained < 0.01 * found.parameters
