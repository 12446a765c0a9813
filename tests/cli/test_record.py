"""`advisor record` and `records`: one run calibrates a workload."""

from __future__ import annotations

import csv
import dataclasses
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from advisor.app.predict import predict
from advisor.base.resources import models_folder
from advisor.throughput.artifact import ARTIFACT, read_model, save_model

Advisor = Callable[..., Any]
PREDICT = ("predict", "--workload", "mine", "--gpu", "RTX 4090", "--cpu", "EPYC 7702")
RECORD = ("record", "--workload", "mine", "--gpu", "rtx_3090", "--cpu", "EPYC 7702")


@pytest.fixture(autouse=True)
def mine(advisor: Advisor) -> None:
    """Save a profile of one's own."""
    advisor("workloads", "new", "mine", "--extends", "resnet50", "--set", "epochs=3")


@pytest.mark.slow
def test_a_record_calibrates_every_prediction(advisor: Advisor) -> None:
    """Predictions on other machines follow, with a narrower interval, and say so."""
    before = advisor(*PREDICT, "--json").document
    assert advisor(*RECORD, "--throughput", "600").exit_code == 0
    after = advisor(*PREDICT, "--json").document
    assert after["samples_per_s"] < 0.9 * before["samples_per_s"]

    def width(entry: dict[str, Any]) -> float:
        return float(entry["samples_per_s_high"] / entry["samples_per_s_low"])

    assert width(after) < 0.8 * width(before)
    assert after["model"]["rests_on"]["own_runs"] == 1
    assert "calibrated by 1 run" in advisor(*PREDICT).stdout
    ranked_words = ("--workload", "mine", "--top", "1")
    ranked = advisor("rank", *ranked_words)
    assert "calibrated by 1 run" in ranked.stderr
    offer = str(
        advisor("rank", *ranked_words, "--json").document["offers"][0]["offer_id"]
    )
    assert "calibrated by 1 run" in advisor("explain", offer, *ranked_words[:2]).stdout
    other = advisor("rank", "--workload", "resnet50", "--top", "1")
    assert "calibrated by 1 run of other workloads" in other.stderr


def test_python_follows_recorded_runs_as_the_command_does(
    advisor: Advisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same figures; a torn file is warned of, and counts for nothing."""
    monkeypatch.setenv("ADVISOR_DATA_DIR", str(tmp_path / "data"))

    def in_python() -> float:
        return predict("mine", "RTX 4090", cpu="EPYC 7702").samples_per_s

    before = in_python()
    advisor(*RECORD, "--throughput", "600")
    after = in_python()
    assert after < 0.9 * before
    told = advisor(*PREDICT, "--json").document["samples_per_s"]
    assert after == pytest.approx(told, rel=1e-9)
    assert predict("mine", "RTX 4090", cpu="EPYC 7702", runs=()).samples_per_s == (
        pytest.approx(before, rel=1e-9)
    )
    (tmp_path / "data" / "advisor.sqlite3").write_text("no database")
    with pytest.warns(UserWarning, match="no record, block or history counts"):
        assert in_python() == pytest.approx(before, rel=1e-9)


def test_records_are_listed_exported_and_deleted(advisor: Advisor) -> None:
    """What was recorded can be seen, taken along, and taken back."""
    advisor(*RECORD, "--throughput", "600")
    advisor(*RECORD, "--throughput", "700", "--num-gpus", "2", "--batch", "64")
    rows = advisor("records", "list", "--json").document["records"]
    assert [row["samples_per_s"] for row in rows] == [600.0, 700.0]
    assert (rows[1]["num_gpus"], rows[1]["batch_size"]) == (2, 64)
    assert rows[0]["gpu"] == "RTX 3090"
    exported = list(csv.DictReader(advisor("records", "export").stdout.splitlines()))
    assert [float(row["samples_per_s"]) for row in exported] == [600.0, 700.0]
    assert advisor("records", "delete", str(rows[0]["number"])).exit_code == 0
    left = advisor("records", "list", "--workload", "mine", "--json").document
    assert [row["number"] for row in left["records"]] == [rows[1]["number"]]
    assert advisor("records", "delete", "999").exit_code == 2


BAR = "Epoch 0: 100%|###| 500/500 [01:40<00:00,  5.00it/s, loss=0.3]\n"
TWO = ("--num-gpus", "2", "--batch", "64")


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str], str]:
    """Return what writes a log and says where it is."""

    def write(text: str) -> str:
        path = tmp_path / "train.log"
        path.write_text(text)
        return str(path)

    return write


def test_a_log_is_read_and_its_evidence_kept(
    advisor: Advisor, written: Callable[[str], str]
) -> None:
    """Steps of a bar count batch and GPUs; `show` says where each part is from."""
    outcome = advisor(*RECORD, "--from-log", written(BAR), *TWO)
    assert outcome.exit_code == 0, outcome.stderr
    assert (
        "tqdm: 500 steps in 100 s, 128 samples per step: 640 samples/s" in outcome.stderr
    )
    (row,) = advisor("records", "list", "--json").document["records"]
    assert (row["samples_per_s"], row["source"]) == (640.0, "tqdm")
    record = advisor("records", "show", "1", "--json").document["record"]
    parts = {part["part"]: part for part in record["evidence"]["parts"]}
    assert parts["counted"]["says"] == "500 steps in 100 s"
    assert parts["counted"]["from"].startswith("line 1: Epoch 0: 100%")
    assert parts["batch"]["from"] == "the user's batch of 64 on 2 GPUs"
    assert {"training", "warm-up", "end"} <= parts.keys()
    shown = advisor("records", "show", "1").stdout
    assert "the user's batch of 64 on 2 GPUs" in shown
    assert "the bar is called 'Epoch 0'" in shown
    assert advisor("records", "show", "2").exit_code == 2


def test_the_batch_is_never_the_profiles_own(
    advisor: Advisor, written: Callable[[str], str]
) -> None:
    """A log that counts steps without it is refused, and says what to give."""
    outcome = advisor(*RECORD, "--from-log", written(BAR))
    assert outcome.exit_code == 2
    assert "give it with --batch SAMPLES" in outcome.stderr
    images = BAR.replace("it/s", "img/s")
    assert advisor(*RECORD, "--from-log", written(images)).exit_code == 2
    setting = ("--set", "batch_size=32")
    assert advisor(*RECORD, "--from-log", written(BAR), *setting).exit_code == 0
    both = advisor(*RECORD, "--from-log", written(BAR), *setting, "--batch", "32")
    assert both.exit_code == 2


def test_physics_and_surprise(advisor: Advisor, written: Callable[[str], str]) -> None:
    """What cannot be is refused; what surprises is kept, marked and told.

    What is far too slow tells nothing of other machines.
    """
    log = written(BAR)
    outcome = advisor(*RECORD, "--from-log", log, "--batch", "4096")
    assert outcome.exit_code == 2
    assert "cannot be" in outcome.stderr
    outcome = advisor(*RECORD, "--throughput", "1")
    assert outcome.exit_code == 2
    assert "below a hundredth" in outcome.stderr
    before = advisor(*PREDICT, "--json").document["samples_per_s"]
    slow = log.replace("train", "slow")
    Path(slow).write_text(BAR.replace("01:40", "8:00:00").replace("5.00", "0.02"))
    outcome = advisor(*RECORD, "--from-log", slow, "--batch", "1")
    assert "stored, but not used: it is below a hundredth" in outcome.stderr
    assert advisor(*PREDICT, "--json").document["samples_per_s"] == before
    outcome = advisor(*RECORD, "--from-log", log, "--batch", "32")
    assert "marked as surprising" in outcome.stderr
    assert "predictions of mine use it" in outcome.stderr
    assert advisor(*PREDICT, "--json").document["samples_per_s"] < 0.9 * before
    marks = advisor("records", "show", "2", "--json").document["record"]["evidence"]
    assert any(mark.startswith("surprising: predicted") for mark in marks["marks"])


def test_why_a_record_is_not_used_is_told(advisor: Advisor) -> None:
    """A run that something else bound says nothing of GPUs and CPUs."""
    words = ("--throughput", "170", "--batch", "1")
    slow = ("--workload", "resnet50", "--set", "precision=fp32")
    outcome = advisor(*RECORD, *words, *slow)
    assert "stored, but not used: it was in fp32, not amp" in outcome.stderr
    launched = ("--throughput", "590", "--batch", "1", "--workload", "resnet18")
    outcome = advisor(*RECORD, *launched)
    assert "stored, but not used: kernel launches bound it" in outcome.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "--throughput"),
        (("--throughput", "1", "--from-log", "x"), "--from-log FILE"),
        (("--throughput", "0"), "above zero"),
        (("--throughput", "nan"), "finite"),
        (("--throughput", "400", "--gpu", "RTX 4900"), "RTX 4090"),
        (("--throughput", "400", "--num-gpus", "0"), "--num-gpus"),
        (("--throughput", "400", "--workload", "nine"), "no workload"),
        (("--from-log", "absent.log"), "absent.log"),
    ],
)
def test_what_cannot_be_is_not_recorded(
    advisor: Advisor, arguments: tuple[str, ...], words: str
) -> None:
    """One line that says what to do, exit code 2, and no record."""
    outcome = advisor(*RECORD, *arguments)
    assert outcome.exit_code == 2
    assert words in outcome.stderr
    assert advisor("records", "list", "--json").document["records"] == []


def test_a_log_without_a_rate_is_refused(advisor: Advisor, tmp_path: Path) -> None:
    """A file of something else is named."""
    log = tmp_path / "train.log"
    log.write_text("hello\n")
    outcome = advisor(*RECORD, "--from-log", str(log))
    assert outcome.exit_code == 2
    assert "train.log: no line states a training's throughput" in outcome.stderr


@pytest.mark.slow
def test_a_model_of_ones_own(advisor: Advisor, tmp_path: Path) -> None:
    """It is trained on the records too, and kept beside the shipped one."""
    advisor(*RECORD, "--throughput", "600")
    shipped = advisor(*PREDICT, "--json").document["model"]["sha256"]
    trained = advisor("model", "train", "--with-records", "--json")
    assert trained.document["own_records"] == [1]
    assert trained.document["file"] == str(tmp_path / "data/models/throughput.npz")
    assert advisor(*PREDICT, "--json").document["model"]["sha256"] == shipped
    advisor("model", "use", "own")
    own = advisor(*PREDICT, "--json").document["model"]
    assert own["sha256"] != shipped
    assert own["own_records"] == [1]


def test_the_model_to_take_can_be_chosen(advisor: Advisor, tmp_path: Path) -> None:
    """One's own when asked for, the shipped one otherwise and when asked for again."""
    assert advisor("model", "use", "own").exit_code == 2
    assert advisor("model", "train", "--with-records").exit_code == 2  # no records yet
    model = read_model(models_folder() / ARTIFACT)
    mine = dataclasses.replace(model.provenance, own_records=(1,))
    own = dataclasses.replace(model, provenance=mine)
    (tmp_path / "data/models").mkdir()
    save_model(own, tmp_path / "data/models" / ARTIFACT)
    shipped = advisor(*PREDICT, "--json").document["model"]
    assert "own_records" not in shipped
    assert advisor("model", "use", "own").exit_code == 0
    taken = advisor(*PREDICT, "--json").document["model"]
    assert taken["own_records"] == [1]
    assert taken["sha256"] != shipped["sha256"]
    assert advisor("model", "use", "shipped").exit_code == 0
    assert advisor(*PREDICT, "--json").document["model"] == shipped


def test_a_model_of_an_older_version_says_what_to_do(
    advisor: Advisor, tmp_path: Path
) -> None:
    """One's own that this version cannot read: one line, a usage error, nothing lost."""
    path = tmp_path / "data/models" / ARTIFACT
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("document.json", json.dumps({"format": 2, "noise": 0.002}))
    before = path.read_bytes()
    assert advisor("model", "use", "own").exit_code == 0
    refused = advisor(*PREDICT)
    assert refused.exit_code == 2
    assert "advisor model train --with-records" in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1
    assert path.read_bytes() == before
    assert advisor("model", "use", "shipped").exit_code == 0
    assert advisor(*PREDICT).exit_code == 0
