"""What stands in the sources: read whole, refused where it cannot be right."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

from advisor.base.errors import UsageError
from advisor.hardware.gpus import load_gpus

Tool = Callable[[str], ModuleType]

FIGURES = """\
source,source_path,year,task,model,framework,precision,batch_size_per_gpu,gpu_name,\
num_gpus,throughput,throughput_unit
lab/bench,README.md,2026,image-classification,resnet50,pytorch 2.9,amp,256,RTX 4090,1,\
1000,samples/s
lab/bench,README.md,2026,image-classification,resnet50,pytorch 2.9,amp,256,RTX 4090,1,\
1210,samples/s
"""


@pytest.fixture
def sources(tool: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of sources: the project's GPUs and nets, two figures of a lab."""
    module = tool("sources")
    for name in ("gpus.csv", "counted_nets.csv"):
        shutil.copy(module.SOURCES / name, tmp_path)
    (tmp_path / "training").mkdir()
    (tmp_path / "training" / "lab.csv").write_text(FIGURES)
    monkeypatch.setattr(module, "SOURCES", tmp_path)
    return tmp_path


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_a_new_source_needs_one_file(sources: Path, tool: Tool) -> None:
    """Its figures of one setting become one row: median, spread, number, source."""
    module = tool("compile_benchmarks")
    table, counts = module.compile_table(tool("sources").read_training())
    row = table.iloc[0]
    assert len(table) == 1
    assert (row["gpu"], row["workload"], row["series"]) == (
        "RTX 4090",
        "resnet50",
        "lab/bench",
    )
    assert row["throughput"] == pytest.approx(1100)  # the middle of two, in logs
    assert row["log_spread"] == pytest.approx(0.1348, abs=1e-4)
    assert row["source"] == "lab/bench:README.md"
    assert (counts["figures read"], counts["figures used"]) == (2, 2)


def test_files_of_figures_come_together(sources: Path, tool: Tool) -> None:
    """Compressed or not; a file without the optional columns has them empty."""
    other = FIGURES.replace("lab/", "other/").replace("unit\n", "unit,notes\n")
    other = other.replace("samples/s\n", "samples/s,on a laptop\n")
    path = sources / "training" / "other.csv.gz"
    path.write_bytes(gzip.compress(other.encode()))
    figures = tool("sources").read_training()
    assert figures["source"].tolist() == ["lab/bench"] * 2 + ["other/bench"] * 2
    assert figures["notes"].tolist() == ["", "", "on a laptop", "on a laptop"]
    assert figures["suspect"].tolist() == [False] * 4
    assert figures["cpu_name"].isna().all()


def test_what_was_read_wrongly_is_as_its_correction_says(
    sources: Path, tool: Tool
) -> None:
    """A file of corrections goes with the file of figures that has its name."""
    (sources / "corrections").mkdir()
    (sources / "corrections" / "lab.csv").write_text(
        "source,source_path,says,precision,throughput,column,was,right,why,seen_in\n"
        "lab/bench,README.md,,amp,1210,batch_size_per_gpu,256,128,a slip,lab/bench@0123\n"
    )
    figures = tool("sources").read_training()
    assert figures["batch_size_per_gpu"].tolist() == [256, 128]
    assert figures["notes"].tolist() == ["", "; a slip"]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("1210", "-5", "lab.csv, line 3: throughput is -5: a number above 0"),
        ("1210", "fast", "lab.csv, line 3: throughput is fast"),
        ("1210", "", "lab.csv, line 3: throughput is empty"),
        (
            "RTX 4090,1",
            "RTX 4090,one",
            "lab.csv, line 2: num_gpus is one: a number above",
        ),
        (",amp,", ",mixed,", "lab.csv, line 2: precision is mixed: one of fp32, "),
        (",README", ",/README", "lab.csv, line 2: source_path is /README.md: without"),
        ("samples/s\n", "samples/s,\n", "lab.csv: its rows have more cells than its "),
        ("lab/bench", "", "lab.csv, line 2: source is empty"),
        (",throughput,", ",rate,", "lab.csv: no column throughput"),
        ("unit\n", "unit,remark\n", "lab.csv: unknown column remark; source, "),
        (
            "RTX 4090",
            "RTX4090",
            "'RTX4090' (lab/bench); write RTX 4090 or ",
        ),
        (FIGURES, "", "lab.csv: No columns to parse"),
    ],
)
def test_figures_that_cannot_be_right_are_refused(
    old: str, new: str, says: str, sources: Path, tool: Tool
) -> None:
    """One line with the file, the line and what to write."""
    edit(sources / "training" / "lab.csv", old, new)
    with pytest.raises(UsageError) as error:
        tool("compile_benchmarks").compile_table(tool("sources").read_training())
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_operations_that_are_no_number_are_refused(sources: Path, tool: Tool) -> None:
    """One line with the file."""
    edit(sources / "counted_nets.csv", ",22.29,", ",some,")
    with pytest.raises(UsageError, match=r"counted_nets\.csv: .*'some'"):
        tool("compile_benchmarks").compile_table(tool("sources").read_training())


@pytest.mark.parametrize(
    ("new", "says"),
    [
        (
            "RTX 4090,NVIDIA,,AD102,,hlaf,",
            "RTX 4090 has tensor_cores hlaf: one of half",
        ),
        ("RTX 4080,NVIDIA,,AD102,,half,", "RTX 4080 stands there already"),
        ("RTX 4090,,,AD102,,half,", "RTX 4090 has no vendor"),
        ("RTX 4090,NVIDIA,,AD102,,matrix,", "RTX 4090 needs fp16_tflops"),
    ],
)
def test_a_gpu_that_cannot_be_right_is_refused(
    new: str, says: str, sources: Path, tool: Tool
) -> None:
    """One line with the file, the GPU and what is allowed."""
    edit(sources / "gpus.csv", "RTX 4090,NVIDIA,,AD102,,half,", new)
    with pytest.raises(UsageError, match=r"models/sources/gpus\.csv") as error:
        tool("compile_gpus").gpu_table(tool("compile_gpus").read_gpus())
    assert says in str(error.value)


def test_a_gpus_number_that_is_none_is_refused(sources: Path, tool: Tool) -> None:
    """The line is that of the file, the header counted."""
    edit(sources / "gpus.csv", ",2520,24,1010,", ",2520,24 GB,1010,")
    line = list(load_gpus()).index("RTX 4090") + 2
    says = f"line {line}: memory_gb is 24 GB: a number, please"
    with pytest.raises(UsageError, match=says):
        tool("compile_gpus").read_gpus()


def test_one_line_adds_a_gpu(sources: Path, tool: Tool) -> None:
    """What it does not state follows from its tensor cores, and says so."""
    with (sources / "gpus.csv").open("a") as file:
        file.write(
            "RTX 9999,NVIDIA,,AD102,RTX9999,half,pcie,Ada Lovelace,8.9,2027,100,2000,48,"
            "1500,50,,,400,5,16,NVIDIA RTX 9999 data sheet,\n"
        )
    gpus = tool("compile_gpus").read_gpus()
    added = tool("compile_gpus").gpu_table(gpus).iloc[-1]
    assert (added["family"], added["aliases"]) == ("RTX 9999", "RTX9999")
    rates = [added[f"{kind}_tflops"] for kind in ("fp16", "bf16", "tf32")]
    assert rates == pytest.approx([102.4, 102.4, 51.2])  # 100 x 512 x 2 GHz
    assert added["source"] == (
        "NVIDIA RTX 9999 data sheet; fp16 = SMs x 512 FLOP x clock, FP32 accumulation; "
        "bf16 = fp16, tf32 = fp16 / 2 (whitepapers)"
    )


def test_a_second_data_base_has_the_same_figures(tool: Tool) -> None:
    """Within 5 %, but for those that the vendor's data sheet corrects."""
    columns = "sm_count boost_mhz memory_gb memory_bandwidth_gb_s fp32_tflops tdp_w"
    gpus = tool("compile_gpus").read_gpus().set_index("name")
    gpus = gpus[gpus["vendor"].eq("NVIDIA")]
    other = tool("sources").read("gpus_market.csv").set_index("gpu_name")
    both = gpus.index.intersection(other.index)
    ours, theirs = (table.loc[both, columns.split()] for table in (gpus, other))
    off = (ours - theirs).abs() > 0.05 * theirs
    corrected = pd.DataFrame(
        {name: gpus.loc[both, "source"].str.contains(name) for name in columns.split()}
    )
    assert len(both) > 150
    assert not (off & ~corrected).any(axis=None)


def test_a_cpu_by_hand_needs_no_score(tool: Tool) -> None:
    """It has that of its microarchitecture, however few; of none at all it is refused.

    A score that is wild for its clock is replaced likewise, and says so.
    """
    compiler = tool("compile_cpus")
    listed = tool("sources").read("cpus.csv.gz")
    hand = pd.DataFrame(
        [
            ("Intel Xeon 6980P", 128, 256, 2.0, 3.9, "page"),
            ("Intel Xeon 6787P", 86, 172, 2.0, 3.8, "page"),
            ("AMD EPYC 9475F", 48, 96, 3.65, 4.8, "page"),
        ],
        columns="name cores threads base_ghz boost_ghz source".split(),  # noqa: SIM905
    )
    table = compiler.compile_cpus(listed, hand).set_index("key")
    one, other = table.loc["xeon 6980p"], table.loc["xeon 6787p"]
    assert (other["cores"], other["score_basis"]) == (86, "microarchitecture")
    expected = one["single_thread_score"] * 3.8 / 3.9
    assert other["single_thread_score"] == pytest.approx(expected, abs=1)
    wild = table.loc["epyc 9475f"]
    assert wild["score_basis"] == "microarchitecture"
    assert wild["source"].endswith("score by microarchitecture")
    assert 4000 < wild["single_thread_score"] < 4400
    hand.loc[len(hand)] = ("Intel Xeon 6999E", 288, 288, 2.0, 3.0, "page")
    with pytest.raises(UsageError, match="line 5: Intel Xeon 6999E has no score"):
        compiler.compile_cpus(listed, hand)


def test_every_row_has_a_source(tool: Tool) -> None:
    """In every file, whatever it is of."""
    folder = tool("sources").SOURCES
    files = sorted(folder.rglob("*.csv*"))
    assert len(files) > 10
    for path in files:
        table = pd.read_csv(path, low_memory=False, usecols=["source"])
        assert table["source"].notna().all(), path.name


def test_a_file_that_the_readme_does_not_list_is_named(
    tool: Tool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A file in ``training/`` needs no line of its own."""
    readme = tool("compile_readme")
    shutil.copytree(readme.SOURCES, tmp_path / "sources")
    monkeypatch.setattr(readme, "SOURCES", tmp_path / "sources")
    rows = readme.rows(tmp_path / "sources" / "training")
    (tmp_path / "sources" / "training" / "lab.csv").write_text(FIGURES)
    assert f"| `training/` | {rows + 2:,} |" in readme.build()[readme.README]
    (tmp_path / "sources" / "new.csv").write_text(FIGURES)
    with pytest.raises(UsageError, match=r"README\.md lists no new\.csv"):
        readme.build()
    (tmp_path / "sources" / "new.csv").unlink()
    (tmp_path / "sources" / "gpus.csv").unlink()
    with pytest.raises(UsageError, match=r"lists what is not there: gpus\.csv"):
        readme.build()


def test_the_sources_stay_small(tool: Tool) -> None:
    """They are downloaded with every clone."""
    folder = tool("sources").SOURCES
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    assert size < 3e6
