"""Rules of the compilers: what of the published figures is kept, marked and counted."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import pandas as pd
import pytest

from advisor.base.errors import UsageError

Tool = Callable[[str], ModuleType]


def figures(tool: Tool, *rows: dict[str, object]) -> pd.DataFrame:
    """Return figures as `read_training` does, of one graded LoRA unless told."""
    usual = tool("sources").OPTIONAL | {
        "source": "lab/bench",
        "source_path": "README.md",
        "year": 2025.0,
        "task": "llm-sft",
        "model": "llama-8b",
        "framework": "pytorch 2.6",
        "precision": "bf16",
        "batch_size_per_gpu": 2.0,
        "image_size_or_seq_len": "2048",
        "gpu_name": "RTX 4090",
        "num_gpus": 1.0,
        "throughput": 1000.0,
        "throughput_unit": "tokens/s",
        "technique": "lora",
        "quality": "A",
        "file": "lab",
    }
    return pd.DataFrame([usual | row for row in rows])


def table_of(tool: Tool, *rows: dict[str, object]) -> pd.DataFrame:
    table: pd.DataFrame
    table, _ = tool("compile_benchmarks").compile_table(figures(tool, *rows))
    return table


def test_each_way_of_running_is_a_set_of_its_own(tool: Tool) -> None:
    """Compiled and eager differ in level, so they do not share one."""
    table = table_of(tool, {"compiled": "eager"}, {"compiled": "compiled"})
    assert table["series"].tolist() == ["lab/bench/compiled", "lab/bench/eager"]
    assert set(table["workload"]) == {"llama-8b lora seq2048"}
    assert table["compiled"].tolist() == ["compiled", "eager"]
    assert set(table["family"]) == {"llm-lora"}


def test_of_layouts_of_one_setting_the_fastest_is_kept(tool: Tool) -> None:
    """And the others are counted."""
    rows = figures(
        tool,
        {"num_gpus": 8.0, "throughput": 9000.0, "notes": "layout TP2"},
        {"num_gpus": 8.0, "throughput": 7000.0, "notes": "layout TP8"},
        {"num_gpus": 8.0, "throughput": 9900.0, "batch_size_per_gpu": 1.0},
    )
    table, counts = tool("compile_benchmarks").compile_table(rows)
    assert table["throughput"].tolist() == [pytest.approx(9000.0)]
    assert counts["slower layouts of the same machine and setting"] == 1
    assert counts["other batch sizes of the same machine"] == 1


def test_a_row_is_as_good_as_its_worst_figure(tool: Tool) -> None:
    """A label that its figures do not share is empty."""
    rows = {"source": "huggingface/pytorch-image-models", "task": "", "technique": ""}
    path = {"source_path": "results/benchmark-train-amp-nhwc-pt112-cu113-rtx3090.csv"}
    rows |= path | {"quality": "", "model": "resnet50", "precision": "amp"}
    table = table_of(tool, rows, rows | {"framework": "pytorch 1.12"})
    assert table["reports"].tolist() == [2]
    assert table["memory_format"].tolist() == ["channels-last"]
    assert tool("compile_benchmarks").common(pd.Series(["a", "b"])) == ""


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"notes": "stands in lab already"}, "the same figure stands in another file"),
        ({"notes": "inference"}, "inference on several GPUs"),
        ({"notes": "rounded; several machines"}, "several machines"),
        ({"notes": "power-limited"}, "power-limited by its host"),
        ({"precision": "int8"}, "INT8 matrix products"),
        ({"gpu_name": "A800-SXM4-80GB"}, "a GPU that the table of GPUs lacks"),
        ({"suspect": True}, "suspect"),
    ],
)
def test_what_cannot_teach_is_left_out_and_counted(
    row: dict[str, object], reason: str, tool: Tool
) -> None:
    """Whatever its quality."""
    table, counts = tool("compile_benchmarks").compile_table(figures(tool, {}, row))
    assert len(table) == 1
    assert [n for name, n in counts.items() if name.startswith(reason)] == [1]


def test_a_step_that_twice_the_tokens_do_not_lengthen_is_host_bound(tool: Tool) -> None:
    """Its rate doubles with the length of the sequences."""
    rates = {"256": 1000.0, "512": 1900.0, "1024": 2400.0, "2048": 2500.0}
    rows = [
        {"image_size_or_seq_len": length, "throughput": rate}
        for length, rate in rates.items()
    ]
    bound = table_of(tool, *rows).set_index("size")["host_bound"]
    assert bound[bound].index.tolist() == ["256"]


def test_a_pod_that_the_slower_card_equals_is_host_bound(tool: Tool) -> None:
    """Where an H100 gains nothing on an L40S both are, else the faster or neither."""
    pods = {"source": "bghira/SimpleTuner", "task": "diffusion-lora-train"}
    pods |= {"image_size_or_seq_len": "512x512", "throughput_unit": "samples/s"}
    rates = {"small": (1.0, 1.0), "middle": (1.3, 1.0), "large": (2.6, 1.0)}
    rows = [
        pods | {"model": net, "gpu_name": gpu, "throughput": rate}
        for net, pair in rates.items()
        for gpu, rate in zip(("H100", "L40S"), pair, strict=True)
    ]
    alone = pods | {"model": "small", "gpu_name": "H100", "checkpointing": "full"}
    table = table_of(tool, *rows, alone)
    bound = table[table["host_bound"]]
    found = sorted(zip(bound["workload"], bound["gpu"], strict=True))
    assert [(w.split()[0], g) for w, g in found] == [
        ("middle", "H100-SXM5-80GB"),
        ("small", "H100-SXM5-80GB"),
        ("small", "H100-SXM5-80GB"),
        ("small", "L40S"),
    ]


@pytest.mark.slow
def test_every_figure_is_used_or_counted(tool: Tool) -> None:
    """The reasons and what is used add up to what was read."""
    raw = tool("sources").read_training()
    _, counts = tool("compile_benchmarks").compile_table(raw)
    read, used = counts.pop("figures read"), counts.pop("figures used")
    rows = [name for name in counts if name.endswith("(table rows)")]
    for name in rows:
        counts.pop(name)
    assert (read, used + sum(counts.values())) == (len(raw), len(raw))


def test_measured_matrix_rates_are_used_or_counted(tool: Tool) -> None:
    """Emulated BF16 of old cards says nothing; overclocked cards neither."""
    module = tool("compile_gpus")
    gpus = module.read_gpus()
    needed = {"kind": "one shape", "note": "", "source": "lab", "tf32_matmul_tflops": 0.0}
    rates = [
        {"gpu_name": "T4", "fp32": 4.0, "fp16": 42.0, "bf16": 2.0},
        {"gpu_name": "RTX 4090", "fp32": 54.0, "fp16": 160.0, "bf16": 160.0},
        {"gpu_name": "RTX 4090", "fp32": 56.0, "fp16": 170.0, "bf16": 170.0},
        {"gpu_name": "RTX 4090", "fp32": 60.0, "fp16": 190.0, "note": "overclocked"},
        {"gpu_name": "GTX 1660 Ti", "fp32": 5.2, "fp16": 0.6},
        {"gpu_name": "H800 PCIe", "fp32": 37.0, "fp16": 478.0},
        {"gpu_name": "RX 7900 XTX", "fp32": 25.0, "fp16": 95.0},
    ]
    raw = pd.DataFrame([needed | row for row in rates]).rename(
        columns={kind: f"{kind}_matmul_tflops" for kind in ("fp32", "fp16", "bf16")}
    )
    table, counts = module.matmul_table(gpus, raw)
    table = table.set_index("gpu")
    assert table["fp16_matmul_tflops"].to_dict() == {"RTX 4090": 165.0, "T4": 42.0}
    assert table["measurements"].to_dict() == {"RTX 4090": 2, "T4": 1}
    assert table["bf16_matmul_tflops"].isna().to_dict() == {"RTX 4090": False, "T4": True}
    assert (
        counts.pop("rates read") - counts.pop("rates used") == sum(counts.values()) == 4
    )


def test_what_servers_exchange_follows_from_their_steps(tool: Tool) -> None:
    """The gradients over what a step gets longer; servers that hide it are counted."""
    told = {"gpu_name": "A40", "cpu_name": "", "board": "", "source": "lab"}
    told |= {"source_path": "x", "quality": "A", "step_s_1gpu": 0.5, "host": "A40"}
    raw = pd.DataFrame(
        [
            told | {"num_gpus": 2, "step_s": 0.567, "efficiency": 0.88},
            told | {"num_gpus": 2, "step_s": 0.49, "efficiency": 1.02},
            told | {"num_gpus": 2, "step_s": 0.9, "efficiency": 0.5, "host": "A40 VM"},
        ]
    )
    table, counts = tool("compile_allreduce").allreduce_table(raw)
    assert table["bus_gb_s"].tolist() == [10.0]
    assert (
        counts.pop("rates read") - counts.pop("rates used") == sum(counts.values()) == 2
    )


def test_served_rates_are_used_or_counted(tool: Tool) -> None:
    """Only settings that three GPUs ran alike; each other one has a reason."""
    raw = tool("sources").read("serving.csv.gz")
    rows, counts = tool("compile_auxiliary").served_rows(raw)
    read, used = counts.pop("figures read"), counts.pop("figures used")
    assert (read, used) == (len(raw), len(rows))
    assert used + sum(counts.values()) == read
    cards = rows.groupby(["workload", "series"])["gpu_name"].nunique()
    assert cards.min() >= 3
    assert set(rows["num_gpus"]) == {1}


def test_a_label_that_is_no_word_is_refused(tool: Tool) -> None:
    """With the file, the line and the words there are; `base` is free."""
    refuse = tool("sources").refuse_figures
    refuse("lab.csv", figures(tool, {"base": "int8-torchao", "compiled": "eager"}))
    with pytest.raises(UsageError) as error:
        refuse("lab.csv", figures(tool, {}, {"compiled": "yes"}))
    says = (
        "models/sources/lab.csv, line 3: compiled is yes: one of eager, graph, compiled"
    )
    assert str(error.value).startswith(says)
    with pytest.raises(UsageError, match="quality is D: one of A, B, C, or nothing"):
        refuse("lab.csv", figures(tool, {"quality": "D"}))
