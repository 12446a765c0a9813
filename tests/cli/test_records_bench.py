"""`records add`, and what becomes of a measured machine: shown, used, contributed."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from advisor.app.contribution import shipped
from advisor.base.columns import read_records
from advisor.base.resources import STORE
from advisor.measure.probe.lines import Line, Result
from advisor.store.benches import MOST_MACHINES, store_bench, stored_bench
from advisor.store.database import open_store

Advisor = Callable[..., Any]
Written = Callable[..., str]
CPU = "AMD EPYC 7702 64-Core Processor"
PREDICT = ("predict", "resnet18", "--gpu", "RTX 4090", "--cpu", CPU, "--cores", "2")
RANK = ("rank", "resnet50", "--market", "sample", "--top", "1")

LINES = (
    Line("cores.granted", 16.0, "cores"),
    Line("core.zlib", 12.0, "MB/s", 0.01, 5),
    Line("decode.pillow.alone", 320.0, "images/s", 0.01, 5, "decoding alone; 11.3.0"),
    Line("decode.pillow.core", 200.0, "images/s", 0.01, 5, "of one worker; 11.3.0"),
    Line("gpu0.matmul.fp16", 160.0, "TFLOP/s", 0.01, 5),
    Line("gpu0.matmul.bf16", 158.0, "TFLOP/s", 0.01, 5),
    Line("gpu0.bandwidth", 860.0, "GB/s", 0.01, 5),
    Line("train.resnet50.amp.eager.synthetic", 1100.0, "samples/s", 0.01, 9, "batch 256"),
    Line("train.resnet50.tf32.eager.synthetic", 600.0, "samples/s", 0.01, 9, "batch 256"),
    Line(
        "train.resnet50.amp.compiled.synthetic", 1300.0, "samples/s", 0.01, 9, "batch 8"
    ),
    Line("train.nobody-knows.amp.eager.synthetic", 5.0, "samples/s", 0.01, 9, "batch 2"),
)


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """Return what writes the result of a bench, and says where it is."""

    def write(
        *lines: Line,
        cpu: str = CPU,
        gpu: str = "NVIDIA GeForce RTX 4090",
        name: str = "bench.json",
    ) -> str:
        result = Result("quick")
        result.begun_unix_s, result.seconds = 1.79e9, 41.5
        gpus = [{"name": gpu, "memory_gb": 25.3, "compute_capability": "8.9"}]
        result.machine = {
            "cpu_name": cpu,
            "cores": 16,
            "memory_gb": 64.0,
            "os": "Linux 6.8",
            "python": "3.12.3",
            "torch": "2.13.0",
            "driver": "570.124",
            "gpus": gpus if gpu else [],
            "hostname": "secret-box",
        }
        result.lines = list(lines or LINES)
        (tmp_path / name).write_text(json.dumps(result.document()))
        return name

    return write


def test_a_bench_is_added_shown_and_deleted(advisor: Advisor, written: Written) -> None:
    """As a machine with a run of what a profile describes; the rest says why not."""
    added = advisor("records", "add", written(), "--machine", "4711")
    assert added.exit_code == 0, added.stderr
    assert "record 1: 1 x RTX 4090 and 16 threads of AMD EPYC 7702" in added.stderr
    assert "machine 4711; predictions use it from now on" in added.stderr
    assert "tf32.eager.synthetic is stored, and is no run: it is in tf32" in added.stderr
    assert "resnet50 is not compiled" in added.stderr
    assert "no built-in profile is called nobody-knows" in added.stderr
    listed = advisor("records", "list", "--json").document
    (run,), (machine,) = listed["records"], listed["machines"]
    assert (run["workload"], run["samples_per_s"], run["batch_size"]) == (
        *("resnet50", 1100.0),
        256,
    )
    assert (run["loader"], run["bench"], run["source"]) == ("synthetic", 1, "file")
    assert (machine["machine_id"], machine["market"], machine["gpu"]) == (
        *(4711, "vast"),
        "RTX 4090",
    )
    table = advisor("records", "list").stdout
    assert "resnet50" in table
    assert "4711" in table
    shown = advisor("records", "show", "1", "--json").document["machine"]
    assert 0.4 < shown["learned"]["core_speed"] < 1.5
    assert "hostname" not in json.dumps(shown)
    text = advisor("records", "show", "1").stdout
    assert "predictions take" in text
    assert "decode.pillow.core" in text
    assert "record 1, train.resnet50.amp" in advisor("records", "show", "2").stdout
    gone = advisor("records", "delete", "1")
    assert "record 1: deleted, with 1 run that it made" in gone.stderr
    left = advisor("records", "list", "--json").document
    assert (left["records"], left["machines"]) == ([], [])


def test_a_stranger_s_names_do_not_tear_the_store(
    advisor: Advisor, written: Written
) -> None:
    """What a machine calls itself is kept as far as it can be read again."""
    odd = written(*LINES[:2], cpu="EPYC\ufffd\x1b[31m 7702", gpu="\ufffd")
    assert advisor("records", "add", odd).exit_code == 0
    (machine,) = advisor("records", "list", "--json").document["machines"]
    assert "7702" in machine["cpu"]
    assert machine["cpu"].isprintable()
    assert advisor(*PREDICT).exit_code == 0


def test_a_stranger_says_nothing_of_profiles_of_ones_own(
    advisor: Advisor, written: Written
) -> None:
    """Neither of one that only the user has, nor of one in a built-in's place."""
    advisor("workloads", "new", "mine", "--extends", "resnet50")
    fast = Line("train.mine.amp.eager.synthetic", 1100.0, "samples/s", note="batch 64")
    added = advisor("records", "add", written(LINES[0], fast))
    assert "no built-in profile is called mine" in added.stderr
    assert advisor("records", "list", "--json").document["records"] == []


FAR = [one._replace(value=0.2 * one.value) for one in LINES if "amp.eager" in one.name]


def test_a_stranger_s_odd_training_moves_no_prediction(
    advisor: Advisor, written: Written
) -> None:
    """It would move that of every machine; of a machine of one's own it does."""
    before = advisor(*PREDICT, "--json").document["samples_per_s"]
    odd = written(LINES[0], *FAR)
    added = advisor("records", "add", odd, "--machine", "4711")
    assert "one machine of a market is no proof of what is so far" in added.stderr
    assert advisor("records", "list", "--json").document["records"] == []
    assert advisor(*PREDICT, "--json").document["samples_per_s"] == before
    advisor("records", "delete", "1")
    assert advisor("records", "add", odd).exit_code == 0
    (run,) = advisor("records", "list", "--json").document["records"]
    assert run["samples_per_s"] == FAR[0].value


def test_figures_that_were_measured_once_are_used(
    advisor: Advisor, written: Written
) -> None:
    """They have no spread; two machines alike with none leave predictions as they are."""
    once = [one._replace(log_sd=None) for one in LINES[:4]]
    for number in ("1", "2", "3"):
        path = written(*once, gpu="", name=f"{number}.json")
        assert advisor("records", "add", path, "--machine", number).exit_code == 0
    assert advisor(*PREDICT).exit_code == 0


def test_a_market_s_name_that_cannot_be_read_again_is_refused(
    advisor: Advisor, written: Written
) -> None:
    """The store would be torn."""
    words = ("--machine", "1", "--market", "va\x1b[31mst")
    refused = advisor("records", "add", written(), *words)
    assert refused.exit_code == 2
    assert "--market: a name of plain characters is expected" in refused.stderr


def test_a_machine_that_counts_no_more_is_shown(
    advisor: Advisor, written: Written, tmp_path: Path
) -> None:
    """So many were measured after it; what it showed is told all the same."""
    advisor("records", "add", written(LINES[3]), "--machine", "1")
    (store,) = tmp_path.rglob(STORE)
    with open_store(store.parent) as connection:
        first = stored_bench(connection, 1)
        for _ in range(MOST_MACHINES):
            other = replace(first.machine, machine_id=2)
            store_bench(connection, other, "file", first.at, first.document)
    shown = advisor("records", "show", "1", "--json")
    assert shown.document["machine"]["learned"]["core_speed"] > 0.0


def test_a_result_is_stored_once(advisor: Advisor, written: Written) -> None:
    """Its trainings would count twice; another machine's, or another one, is stored."""
    path = written()
    for number, words in enumerate(((), ("--machine", "4711"), (), ())):
        added = advisor("records", "add", path, *words)
        assert added.exit_code == 0
        assert ("is this result: nothing is stored twice" in added.stderr) == (number > 1)
    listed = advisor("records", "list", "--json").document
    assert (len(listed["records"]), len(listed["machines"])) == (2, 2)


def test_predictions_follow_and_say_so(advisor: Advisor, written: Written) -> None:
    """A slow core of a CPU slows what that CPU feeds; the evidence is told."""
    before = advisor(*PREDICT, "--json").document
    slow = [one._replace(value=0.6 * one.value) for one in LINES[1:4]]
    assert advisor("records", "add", written(LINES[0], *slow)).exit_code == 0
    after = advisor(*PREDICT, "--json").document
    assert after["samples_per_s"] < 0.99 * before["samples_per_s"]
    assert before["model"]["rests_on"]["measured_machines"] == 0
    assert after["model"]["rests_on"]["measured_machines"] == 1
    told = "1 measured machine: 1 with EPYC 7702"
    assert told in " ".join(advisor(*PREDICT).stdout.split())
    assert "1 measured machine counts" in advisor(*RANK).stderr
    offer = advisor(*RANK, "--json").document["offers"][0]["offer_id"]
    explained = advisor("explain", str(offer), "resnet50", "--market", "sample").stdout
    assert "your benches" in explained


BEYOND = [
    (Line("gpu0.matmul.fp16", 900.0, "TFLOP/s"), "RTX 4090 does 191 at most"),
    (Line("gpu0.bandwidth", 5000.0, "GB/s"), "RTX 4090 does 1,160 at most"),
    (Line("decode.pillow.core", 9000.0, "images/s"), "one core does"),
    (
        Line("train.resnet50.amp.eager.synthetic", 1e6, "samples/s", note="batch 256"),
        "cannot be",
    ),
]


@pytest.mark.parametrize(("line", "words"), BEYOND)
def test_what_cannot_be_is_refused_whole(
    advisor: Advisor, written: Written, line: Line, words: str
) -> None:
    """One line, exit code 2, and nothing is stored: neither machine nor run."""
    refused = advisor("records", "add", written(LINES[0], LINES[7], line))
    if line.name == LINES[7].name:
        refused = advisor("records", "add", written(LINES[0], line))
    assert refused.exit_code == 2
    assert words in refused.stderr
    listed = advisor("records", "list", "--json").document
    assert (listed["records"], listed["machines"]) == ([], [])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<html></html>", "is no result of a bench"),
        ('{"kind": "advisor-bench", "version": 99}', "version 99"),
        ("", "it is empty"),
    ],
)
def test_what_is_no_bench_is_told(
    advisor: Advisor, tmp_path: Path, text: str, words: str
) -> None:
    """In one line, with exit code 2."""
    (tmp_path / "bench.json").write_text(text)
    refused = advisor("records", "add", "bench.json")
    assert refused.exit_code == 2
    assert words in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_what_is_contributed_names_nobody_and_passes_its_check(
    advisor: Advisor, written: Written, tmp_path: Path
) -> None:
    """Rows in the form of the shipped tables, of all that has a name there."""
    advisor("workloads", "new", "my-secret-net", "--extends", "resnet50")
    advisor("records", "add", written(), "--machine", "4711")
    advisor("record", "my-secret-net", "--gpu", "RTX 4090", "--throughput", "900")
    advisor("records", "add", written(*LINES[:2], LINES[3], cpu="secret-box CPU", gpu=""))
    out = advisor("records", "export", "--contribute", "mine")
    assert out.exit_code == 0, out.stderr
    assert "1 left out: its CPU is in no table" in out.stderr
    benchmarks = rows_of(tmp_path / "mine/benchmarks.csv")
    assert [(row["workload"], row["throughput"]) for row in benchmarks] == [
        ("resnet50", "1100"),
        ("resnet50", "900"),
    ]
    assert [row["loader"] for row in benchmarks] == ["synthetic", "real"]
    assert [row["quality"] for row in benchmarks] == ["A", "C"]
    decode = rows_of(tmp_path / "mine/cpu_decode.csv")
    assert {(row["library"], row["version"], row["protocol"]) for row in decode} == {
        ("pillow", "11.3.0", "advisor-alone"),
        ("pillow", "11.3.0", "advisor-crop"),
    }
    (matmul,) = rows_of(tmp_path / "mine/matmul.csv")
    assert (
        matmul["gpu"],
        matmul["fp16_matmul_tflops"],
        matmul["fp32_matmul_tflops"],
    ) == (
        *("RTX 4090", "160"),
        "",
    )
    whole = "".join(path.read_text() for path in (tmp_path / "mine").iterdir())
    for word in ("secret", "4711", "vast", str(tmp_path)):
        assert word not in whole
    files = [f"mine/{path.name}" for path in sorted((tmp_path / "mine").iterdir())]
    checked = advisor("records", "check", *files)
    assert checked.exit_code == 0, checked.stdout
    assert "every row can be taken" in checked.stderr


def test_a_stranger_s_words_are_in_no_row(
    advisor: Advisor, written: Written, tmp_path: Path
) -> None:
    """Neither in a version nor as a library or a unit: it may write anything there."""
    of_secret = (
        Line("decode.pillow.core", 200.0, "images/s", note="; 11.3.0+secret"),
        Line("decode.opencv.core", 200.0, "images/s", note="; 4.secret"),
        Line("decode.simplejpeg.core", 200.0, "secret/s", note="; 1.8.2"),
        Line("decode.secret.core", 200.0, "images/s", note="; 1.0"),
        LINES[7],
    )
    path = tmp_path / written(*of_secret)
    document = json.loads(path.read_text())
    document["machine"]["torch"] = "2.13.0+secret"
    path.write_text(json.dumps(document))
    assert advisor("records", "add", path.name).exit_code == 0
    assert advisor("records", "export", "--contribute", "mine").exit_code == 0
    (row,) = rows_of(tmp_path / "mine/benchmarks.csv")
    assert (row["series"], row["framework_version"]) == (
        *("advisor/bench pytorch-2.13.0", "2.13.0"),
    )
    decode = rows_of(tmp_path / "mine/cpu_decode.csv")
    assert [(row["library"], row["version"]) for row in decode] == [
        *(("pillow", "11.3.0"), ("opencv", "")),
    ]
    whole = "".join(path.read_text() for path in (tmp_path / "mine").iterdir())
    assert "secret" not in whole


def test_a_machine_that_was_measured_often_is_one_machine(
    advisor: Advisor, written: Written, tmp_path: Path
) -> None:
    """Three benches of one and one of each of two others: the median of machines."""
    shown = (("1", 0.5), ("1", 0.5), ("1", 0.5), ("2", 0.9), ("3", 1.0))
    for at, (number, share) in enumerate(shown):
        rates = (LINES[3], LINES[4])
        lines = [one._replace(value=share * one.value - 0.001 * at) for one in rates]
        assert (
            advisor("records", "add", written(*lines), "--machine", number).exit_code == 0
        )
    assert advisor("records", "export", "--contribute", "mine").exit_code == 0
    (decode,) = rows_of(tmp_path / "mine/cpu_decode.csv")
    (matmul,) = rows_of(tmp_path / "mine/matmul.csv")
    assert float(decode["rate"]) == pytest.approx(180.0, abs=0.01)
    assert float(matmul["fp16_matmul_tflops"]) == pytest.approx(144.0, abs=0.1)
    assert matmul["measurements"] == "3"


def test_a_count_that_no_computer_reads_is_told(advisor: Advisor, tmp_path: Path) -> None:
    """Python reads no whole number of five thousand digits."""
    row = read_records(shipped("matmul"))[0] | {"measurements": "9" * 5000}
    write_rows(tmp_path / "rows.csv", row)
    checked = advisor("records", "check", "rows.csv")
    assert checked.exit_code == 1
    assert "is no whole number of 1 to 1,000,000" in checked.stdout


def test_nothing_to_contribute_is_told(advisor: Advisor) -> None:
    """Without a record, and with none that makes a row."""
    none = advisor("records", "export", "--contribute", "mine")
    assert none.exit_code == 2
    assert "no records yet" in none.stderr
    both = advisor("records", "export", "--workload", "x", "--contribute", "mine")
    assert both.exit_code == 2


ROW = {
    "cpu": "AMD EPYC 7702",
    "library": "pillow",
    "version": "11.3.0",
    "protocol": "advisor-crop",
    "unit": "images/s",
    "rate": "240",
    "doubt": "",
    "source": "advisor, bench of 2026-11",
}
WRONG: list[tuple[Mapping[str, str], str]] = [
    ({"cpu": "AMD EPYC 7702 64-Core"}, "did you mean AMD EPYC 7702?"),
    ({"cpu": "nobody's"}, "no CPU of the table is called"),
    ({"rate": "90000"}, "no core does more than"),
    ({"rate": "fast"}, "'fast' is no number above zero"),
    ({"rate": ""}, "rate: it is empty"),
    ({"unit": "frames"}, "'frames' is none of images/s"),
    ({"source": ""}, "source: it is empty"),
    ({"source": "bench of 10.0.0.7"}, "an address"),
    ({"source": "of jane@example.org"}, "an address"),
    ({"source": "in /home/jane/bench.json"}, "a path"),
    ({"source": "key 0123456789abcdef0123456789abcdef"}, "a key or an id"),
    ({"library": "pil\x1blow"}, "printable"),
    ({"unit": "Mpixel/s"}, "'Mpixel/s' is none of images/s"),
    ({"library": "nobody-s", "rate": "90000"}, "no core does more than"),
    ({"library": "nobody-s", "rate": "90000", "protocol": "other"}, "no core does more"),
]


@pytest.mark.parametrize(("change", "words"), WRONG)
def test_a_row_that_cannot_be_taken_is_told(
    advisor: Advisor, tmp_path: Path, change: Mapping[str, str], words: str
) -> None:
    """With file, line and column, and exit code 1."""
    write_rows(tmp_path / "rows.csv", ROW | {"rate": "200"}, {**ROW, **change})
    checked = advisor("records", "check", "rows.csv")
    assert checked.exit_code == 1
    assert any(
        line.startswith("rows.csv:3: ") and words in line
        for line in checked.stdout.splitlines()
    ), checked.stdout
    assert "in 2 rows" in checked.stderr


def test_what_is_there_already_is_told(advisor: Advisor, tmp_path: Path) -> None:
    """In the file itself, and in the table that ships."""
    published = {
        "cpu": "AMD EPYC 7571",
        "library": "opencv",
        "version": "4.1",
        "protocol": "pillow-perf",
        "unit": "Mpixel/s",
        "rate": "73.7",
    }
    write_rows(tmp_path / "rows.csv", ROW, ROW, ROW | published)
    checked = advisor("records", "check", "rows.csv")
    assert checked.exit_code == 1
    assert "rows.csv:3: it is line 2 once more" in checked.stdout
    assert "rows.csv:4: cpu_decode.csv has this measurement already" in checked.stdout


@pytest.mark.parametrize(
    ("head", "words"),
    [
        ("cpu,library", "compared with cpu_decode.csv it lacks version"),
        ("gpu,speed", "compared with"),
    ],
)
def test_columns_of_no_table_are_told(
    advisor: Advisor, tmp_path: Path, head: str, words: str
) -> None:
    """With the table that they are nearest to, and exit code 2."""
    (tmp_path / "rows.csv").write_text(f"{head}\na,b\n")
    checked = advisor("records", "check", "rows.csv")
    assert checked.exit_code == 2
    assert words in checked.stderr


def write_rows(path: Path, *rows: Mapping[str, str]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="of Linux")
def test_the_bench_s_own_result_is_stored_on_request(advisor: Advisor) -> None:
    """As a machine of one's own, with what the program measured here for a moment."""
    done = advisor("bench", "--seconds", "3", "--write-gb", "0", "--record")
    assert done.exit_code == 0, done.stderr
    assert "predictions use it from now on" in done.stderr
    (machine,) = advisor("records", "list", "--json").document["machines"]
    assert (machine["machine_id"], machine["market"]) == (None, "")
    assert (machine["source"], machine["lines"] > 0) == ("bench", True)
