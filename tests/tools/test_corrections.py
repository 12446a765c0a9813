"""Tables that were read wrongly say what their sources say, and nothing else changes."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

from advisor.base.errors import UsageError

ROOT = Path(__file__).parents[2]
TF2_BERT = "TensorFlow2/LanguageModeling/BERT"
BIOBERT = "TensorFlow/LanguageModeling/BERT/biobert"
TRANSFORMER = "PyTorch/Translation/Transformer"
WIDE_AND_DEEP = "TensorFlow/Recommendation/WideAndDeep"
NCF = "TensorFlow/Recommendation/NCF"
DLRM = "PyTorch/Recommendation/DLRM"

Tool = Callable[[str], ModuleType]

LINE = {
    "source": "lab/bench",
    "source_path": "README.md",
    "says": "= 6,3",
    "precision": "amp",
    "throughput": "",
    "column": "batch_size_per_gpu",
    "was": "3",
    "right": "6",
    "why": "batch: mixed precision first",
    "seen_in": "lab/bench@0123abc",
}


def figures() -> pd.DataFrame:
    """Return two figures of one cell, and one that states neither batch nor precision."""
    notes = 'batch column "mixed precision, FP32" = 6,3'
    return pd.DataFrame(
        {
            "source": "lab/bench",
            "source_path": "README.md",
            "precision": ["amp", "fp32", None],
            "batch_size_per_gpu": [3.0, 6.0, None],
            "num_gpus": 8,
            "throughput": [39.1, 9.85, 7.0],
            "notes": [notes, notes, None],
        }
    )


def corrected(tool: Tool, *lines: dict[str, str]) -> pd.DataFrame:
    table: pd.DataFrame = tool("corrections").correct(
        "corrections/lab.csv", figures(), pd.DataFrame([LINE | line for line in lines])
    )
    return table


def test_the_figures_a_line_means_are_corrected(tool: Tool) -> None:
    """Their notes say why; the others stay as they are, and so does what was read."""
    single = {"precision": "fp32", "was": "6", "right": "3"}
    table = corrected(tool, {}, single)
    assert table["batch_size_per_gpu"].tolist()[:2] == [6.0, 3.0]
    assert table["notes"].str.endswith("; batch: mixed precision first").tolist() == [
        True,
        True,
        False,
    ]
    assert table["throughput"].tolist() == [39.1, 9.85, 7.0]


def test_a_line_may_mean_one_figure_and_fill_in_what_is_unknown(tool: Tool) -> None:
    """By its rate; a precision that is not stated is empty, and so is such a batch."""
    table = corrected(
        tool,
        {"throughput": "39.1", "column": "num_gpus", "was": "8", "right": "16"},
        {"says": "", "precision": "", "was": "", "right": "4"},
    )
    assert table["num_gpus"].tolist() == [16, 8, 8]
    assert table["batch_size_per_gpu"].tolist() == [3.0, 6.0, 4.0]


def test_a_line_without_a_column_only_says_why(tool: Tool) -> None:
    """Words of it leave the figure out where they are among `LEFT_OUT_NOTES`."""
    table = corrected(
        tool, {"column": "", "was": "", "right": "", "why": "stands in another table"}
    )
    assert table["batch_size_per_gpu"].tolist()[:2] == [3.0, 6.0]
    words = tool("compile_benchmarks").LEFT_OUT_NOTES
    assert any(f"; {word}" in table["notes"][0] for word in words)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ({"says": "= 60 , 32"}, "no figure of README.md says '= 60 , 32'"),
        ({"throughput": "39.2"}, "no figure of README.md says '= 6,3'"),
        ({"was": "6"}, "batch_size_per_gpu is 3.0, not 6"),
        ({"was": ""}, "batch_size_per_gpu is 3.0, not empty"),
        ({"column": "year"}, "column is year: batch_size_per_gpu, num_gpus, throughput"),
    ],
)
def test_a_correction_that_does_not_fit_is_refused(
    line: dict[str, str], says: str, tool: Tool
) -> None:
    """One line with the file and the line; the source table may have been mended."""
    with pytest.raises(UsageError) as error:
        corrected(tool, line)
    assert str(error.value) == f"models/sources/corrections/lab.csv, line 2: {says}"


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Return the table of the checkout."""
    return pd.read_csv(ROOT / "models" / "benchmarks.csv")


def of(
    table: pd.DataFrame, path: str, workload: str, gpu: str, num_gpus: int, precision: str
) -> pd.Series:
    """Return the one row of NVIDIA's examples with this setting."""
    rows = table[
        table["series"].eq(f"dle/{path}")
        & table["workload"].eq(workload)
        & table["gpu"].eq(gpu)
        & table["num_gpus"].eq(num_gpus)
        & table["precision"].fillna("").eq(precision)
    ]
    assert len(rows) == 1
    return rows.iloc[0]


@pytest.mark.parametrize("num_gpus", [1, 8])
@pytest.mark.parametrize(
    ("framework", "workload", "gpu", "precision", "batch"),
    [
        ("PaddlePaddle", "bert-pretrain-128", "A100-SXM4-80GB", "tf32", 128),
        ("PaddlePaddle", "bert-pretrain-128", "A100-SXM4-80GB", "amp", 256),
        ("PaddlePaddle", "bert-pretrain-512", "A100-SXM4-80GB", "tf32", 16),
        ("PaddlePaddle", "bert-pretrain-512", "A100-SXM4-80GB", "amp", 32),
        ("PyTorch", "bert-pretrain-128", "A100-SXM4-80GB", "tf32", 128),
        ("PyTorch", "bert-pretrain-128", "A100-SXM4-80GB", "amp", 256),
        ("PyTorch", "bert-pretrain-128", "V100-SXM2-32GB", "fp32", 32),
        ("PyTorch", "bert-pretrain-128", "V100-SXM2-32GB", "amp", 64),
        ("PyTorch", "bert-pretrain-512", "V100-SXM2-32GB", "fp32", 4),
        ("PyTorch", "bert-pretrain-512", "V100-SXM2-32GB", "amp", 8),
    ],
)
def test_accumulated_batches_are_those_of_a_pass(
    framework: str,
    workload: str,
    gpu: str,
    precision: str,
    batch: int,
    num_gpus: int,
    table: pd.DataFrame,
) -> None:
    """The tables state that of an optimizer step and the steps of accumulation."""
    path = f"{framework}/LanguageModeling/BERT"
    row = of(table, path, workload, gpu, num_gpus, precision)
    assert row["batch_size"] == batch


@pytest.mark.parametrize(
    ("path", "workload", "gpu", "single", "batch", "half"),
    [
        (TF2_BERT, "bert-pretrain-128", "V100-SXM3-32GB", "fp32", 32, 60),
        (TF2_BERT, "bert-pretrain-512", "V100-SXM3-32GB", "fp32", 6, 10),
        (TF2_BERT, "bert-pretrain-128", "A100-SXM4-80GB", "tf32", 176, 312),
        (TF2_BERT, "bert-pretrain-512", "A100-SXM4-80GB", "tf32", 22, 40),
        (TF2_BERT, "bert-finetune-", "V100-SXM2-16GB", "fp32", 3, 6),
        (TF2_BERT, "bert-finetune-", "V100-SXM2-32GB", "fp32", 8, 12),
        (TF2_BERT, "bert-finetune-", "A100-SXM4-80GB", "tf32", 38, 76),
        (BIOBERT, "biobert-pretrain-128", "V100-SXM2-16GB", "fp32", 32, 64),
        (TRANSFORMER, "transformer", "V100-SXM2-16GB", "fp32", 2560, 5120),
        (TRANSFORMER, "transformer", "V100-SXM3-32GB", "fp32", 5120, 10240),
    ],
)
def test_of_two_batches_mixed_precision_has_the_larger(
    path: str,
    workload: str,
    gpu: str,
    single: str,
    batch: int,
    half: int,
    table: pd.DataFrame,
) -> None:
    """Where a cell has both, mixed precision first."""
    assert of(table, path, workload, gpu, 8, single)["batch_size"] == batch
    assert of(table, path, workload, gpu, 8, "amp")["batch_size"] == half


@pytest.mark.parametrize(
    ("workload", "precision", "rates"),
    [
        ("bert-pretrain-128", "amp", (3799.24, 3803.82)),
        ("bert-pretrain-128", "tf32", (1944.77, 2062.98)),
        ("bert-pretrain-512", "amp", (649.69, 749.73)),
        ("bert-pretrain-512", "tf32", (427.39, 431.89)),
    ],
)
def test_rates_of_several_nodes_are_no_rates_of_eight_gpus(
    workload: str, precision: str, rates: tuple[float, float], table: pd.DataFrame
) -> None:
    """Of BERT on a DGX A100 there is one in each table: alone, and as one node."""
    row = of(table, TF2_BERT, workload, "A100-SXM4-80GB", 8, precision)
    assert row["throughput"] == pytest.approx((rates[0] * rates[1]) ** 0.5, rel=1e-5)
    assert row["reports"] == 2


def test_nodes_are_counted_as_the_gpus_they_have(tool: Tool) -> None:
    """The first column of TensorFlow 2's tables of several nodes counts nodes."""
    figures = tool("sources").read_training()
    several = figures[
        figures["source_path"].eq(f"{TF2_BERT}/README.md")
        & figures["notes"].str.contains("several machines", regex=False)
    ]
    counts = several.groupby("gpu_name")["num_gpus"].value_counts()
    assert counts.to_dict() == {
        ("A100-SXM4-80GB", 16): 4,
        ("A100-SXM4-80GB", 64): 4,
        ("A100-SXM4-80GB", 256): 4,
        ("V100-SXM3-32GB", 64): 4,
        ("V100-SXM3-32GB", 256): 4,
        ("V100-SXM3-32GB", 512): 4,
    }
    each = several["throughput"] / several["num_gpus"]
    assert each.max() < 500


def test_one_a100_of_bert_on_tensorflow_2_is_no_faulty_row() -> None:
    """It was, beside eight that were credited with two nodes' rate."""
    use = pd.read_csv(ROOT / "models" / "row_use.csv", keep_default_na=False)
    rows = use[
        use["series"].eq(f"dle/{TF2_BERT}")
        & use["workload"].str.startswith("bert-pretrain")
        & use["gpu"].eq("A100-SXM4-80GB")
    ]
    assert len(rows) == 4
    assert not rows["reason"].str.startswith("faulty").any()


@pytest.mark.parametrize(
    ("path", "workload", "gpu", "num_gpus", "precision", "batch"),
    [
        (WIDE_AND_DEEP, "wideanddeep", "A100-SXM4-40GB", 1, "tf32", 131_072),
        (WIDE_AND_DEEP, "wideanddeep", "A100-SXM4-40GB", 1, "amp", 131_072),
        (WIDE_AND_DEEP, "wideanddeep", "A100-SXM4-40GB", 8, "tf32", 16_384),
        (WIDE_AND_DEEP, "wideanddeep", "A100-SXM4-40GB", 8, "amp", 16_384),
        (WIDE_AND_DEEP, "wideanddeep", "V100-SXM2-16GB", 1, "", 131_072),
        (WIDE_AND_DEEP, "wideanddeep", "V100-SXM2-16GB", 8, "amp", 16_384),
        (NCF, "ncf", "A100-SXM4-40GB", 1, "amp", 1_048_576),
        (NCF, "ncf", "A100-SXM4-40GB", 4, "tf32", 262_144),
        (NCF, "ncf", "A100-SXM4-40GB", 8, "amp", 131_072),
        (NCF, "ncf", "V100-SXM2-32GB", 4, "amp", 262_144),
        (NCF, "ncf", "V100-SXM2-32GB", 8, "fp32", 131_072),
        (DLRM, "dlrm small", "A100-SXM4-80GB", 1, "amp", 65_536),
        (DLRM, "dlrm large", "V100-SXM2-32GB", 8, "fp32", 8_192),
    ],
)
def test_thousands_are_read_as_such(
    path: str,
    workload: str,
    gpu: str,
    num_gpus: int,
    precision: str,
    batch: int,
    table: pd.DataFrame,
) -> None:
    """A comma that parts them parts no two numbers, and k is 1,024."""
    row = of(table, path, workload, gpu, num_gpus, precision)
    assert row["batch_size"] == pytest.approx(batch, rel=1e-5)


def test_no_example_of_nvidia_has_a_smaller_batch_in_mixed_precision(
    table: pd.DataFrame,
) -> None:
    """Memory holds more of it: the other way round, two batches were swapped."""
    key = ["series", "workload", "gpu", "num_gpus"]
    known = table[table["series"].str.startswith("dle/") & table["batch_size"].notna()]
    half = known["precision"].isin(["amp", "bf16"])
    pairs = known[half].merge(known[~half], on=key, suffixes=("", "_single"))
    assert len(pairs) > 100
    smaller = pairs[pairs["batch_size"] < pairs["batch_size_single"]]
    assert smaller[key].drop_duplicates().to_dict("records") == []


def test_batches_stand_in_the_cells_they_were_read_from(tool: Tool) -> None:
    """Of NVIDIA's examples, whose notes quote the cell; but for what accumulates."""
    figures = tool("sources").read_training()
    parts = figures["notes"].str.extract(r"batch column \"(.*)\" = ([^;]*)")
    read = figures.assign(heading=parts[0], cell=parts[1]).dropna(subset="cell")
    assert len(read) > 800
    read = read[~read["notes"].str.contains("accumul", regex=False)]
    columns = ["source_path", "batch_size_per_gpu", "heading", "cell"]
    wrong = [
        f"{path}: {batch:g} of {cell!r}"
        for path, batch, heading, cell in read[columns].itertuples(index=False)
        if batch not in numbers(heading, cell)
    ]
    assert wrong == []


def numbers(heading: str, cell: str) -> list[float]:
    """Return the numbers of a cell, whose commas part two where the heading's does."""
    if "," not in heading:
        cell = cell.replace(",", "")
    found = re.findall(r"(\d+)(k?)", cell)
    return [float(number) * (1024 if k else 1) for number, k in found]
