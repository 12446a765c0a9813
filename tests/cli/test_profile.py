"""`advisor profile`: what it prints, where the profile goes, and how it ends.

Where PyTorch is not needed, a program stands for the training that writes what the hooks
would have seen.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import advisor as face
from advisor.app.profiled import ProfileSpec
from advisor.measure.hooks.observation import Device, Ended, Observation
from tests.measure.observations import of_pictures

Advisor = Callable[..., Any]
Conforms = Callable[[str, Any], None]

EXAMPLES = Path(__file__).parents[2] / "examples" / "training"
HAS_TORCH = importlib.util.find_spec("torch") is not None


def training(tmp_path: Path, *seen: Observation, status: int = 0) -> tuple[str, ...]:
    """Return the command of a program that leaves these observations."""
    script = tmp_path / "train.py"
    texts = [json.dumps(one.document()) for one in seen]
    script.write_text(
        "import os, pathlib, sys\n"
        "folder = pathlib.Path(os.environ['ADVISOR_PROFILE_FOLDER'])\n"
        f"for at, text in enumerate({texts!r}):\n"
        "    (folder / f'observation-{at}.json').write_text(text)\n"
        "print('epoch 0: loss 2.3')\n"
        f"sys.exit({status})\n"
    )
    return "--", sys.executable, str(script)


def on_gpu(name: str = "NVIDIA GeForce RTX 3090") -> Observation:
    """Return what is seen of the same training on a GPU."""
    seen = of_pictures()
    device = Device(
        kind="cuda", cuda_available=True, gpus=[name], peak_reserved_bytes=3 * 10**9
    )
    loop = replace(seen.loop, seconds=0.5, gpu_idle_waits=0.0)
    distributed = replace(seen.distributed, gpus=1)
    return replace(seen, device=device, loop=loop, distributed=distributed)


def test_people_see_each_figure_and_how_it_is_known(
    advisor: Advisor, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """And what held the loop up; the training's own words come through."""
    done = advisor("profile", *training(tmp_path, of_pictures()))
    assert done.exit_code == 0, done.stderr
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert "batch_size 32 measured samples of the DataLoader per optimizer step" in lines
    assert "epochs 90 not seen of resnet50" in lines
    assert any(line.startswith("kernels_per_step 155 estimated") for line in lines)
    assert any(line.startswith("held up by computing") for line in lines)
    assert "epoch 0: loss 2.3\n" in capfd.readouterr().out


def test_nothing_is_lost_where_nobody_said_where_it_goes(
    advisor: Advisor, tmp_path: Path
) -> None:
    """The profile lies in the cache, and the command that saves it is told."""
    done = advisor("profile", *training(tmp_path, of_pictures()))
    path = tmp_path / "cache" / "profile.toml"
    assert f"advisor workloads import {path}" in done.stderr
    assert advisor("workloads", "import", str(path), "--name", "mine").exit_code == 0
    assert advisor("workloads", "show", "mine").exit_code == 0


def test_a_named_profile_is_saved_and_ranks(advisor: Advisor, tmp_path: Path) -> None:
    """As any other of the user's."""
    done = advisor("profile", "--name", "mine", *training(tmp_path, of_pictures()))
    assert done.exit_code == 0, done.stderr
    text = (tmp_path / "data" / "workloads" / "mine.toml").read_text()
    assert "batch_size = 32  # measured\n" in text
    assert advisor("rank", "mine", "--market", "sample").exit_code == 0
    assert face.load_workload(tmp_path / "data/workloads/mine.toml").batch_size == 32


def test_a_file_takes_the_profile(advisor: Advisor, tmp_path: Path) -> None:
    """Which `--workload` takes."""
    path = tmp_path / "own.toml"
    done = advisor("profile", "-o", str(path), *training(tmp_path, of_pictures()))
    assert done.exit_code == 0, done.stderr
    assert advisor("bid", "--workload", str(path), "--market", "sample").exit_code == 0


def test_the_document_is_as_its_schema_says(
    advisor: Advisor, tmp_path: Path, conforms: Conforms
) -> None:
    """On a CPU and on a GPU; the training's words are on stderr then."""
    for seen in (of_pictures(), on_gpu()):
        done = advisor("profile", "--json", *training(tmp_path, seen))
        assert done.exit_code == 0, done.stderr
        conforms("profile", done.document)
        assert done.document["pace"]["bound"] == "compute"


def test_a_dry_run_runs_nothing(
    advisor: Advisor, tmp_path: Path, conforms: Conforms
) -> None:
    """It shows the command, its variables, and what is hooked."""
    chained = tmp_path / "own"
    chained.mkdir()
    (chained / "sitecustomize.py").touch()
    words = ("profile", "--steps", "30", "--dry-run")
    command = ("--", sys.executable, "never.py")
    variables = {"PYTHONPATH": str(chained)}
    done = advisor(*words, *command, variables=variables)
    assert done.exit_code == 0
    assert "ADVISOR_PROFILE_STEPS=30" in done.stdout
    assert str(chained / "sitecustomize.py") in done.stdout
    assert "DataLoader" in done.stdout
    done = advisor(*words, "--json", *command, variables=variables)
    conforms("profile", done.document)


def test_a_throughput_on_a_gpu_is_a_run_of_the_user(
    advisor: Advisor, tmp_path: Path
) -> None:
    """With its evidence: predictions of that workload follow it."""
    done = advisor("profile", "--name", "mine", *training(tmp_path, on_gpu()))
    assert done.exit_code == 0, done.stderr
    assert "record 1: predictions of mine use it from now on" in done.stderr
    shown = advisor("records", "show", "1", "--json").document
    text = json.dumps(shown)
    assert "RTX 3090" in text
    assert "40 steps after warm-up" in text
    assert "2560" in text or "2,560" in text or "2.56" in text


def test_a_gpu_that_nobody_knows_is_told(advisor: Advisor, tmp_path: Path) -> None:
    """The profile is saved all the same."""
    seen = on_gpu("Strange Accelerator 9")
    done = advisor("profile", "--name", "mine", *training(tmp_path, seen))
    assert done.exit_code == 0
    assert "no run is recorded" in done.stderr
    assert "saved: " in done.stderr


def test_a_training_that_fails_before_a_step_says_so(
    advisor: Advisor, tmp_path: Path
) -> None:
    """Its failure is its own: exit code 8."""
    done = advisor("profile", *training(tmp_path, status=3))
    assert done.exit_code == 8
    assert "train.py failed by itself (exit status 3)" in done.stderr


def test_a_training_that_fails_later_leaves_its_profile(
    advisor: Advisor, tmp_path: Path
) -> None:
    """What was seen is worth it; the exit code tells."""
    seen = of_pictures()
    seen.ended = Ended("failed", None, "OutOfMemoryError")
    done = advisor("profile", *training(tmp_path, seen, status=1))
    assert done.exit_code == 8
    assert "batch_size" in done.stdout
    assert "failed by itself (exit status 1, OutOfMemoryError)" in done.stderr


def test_a_training_that_was_stopped_did_not_fail(
    advisor: Advisor, tmp_path: Path
) -> None:
    """Whatever status it goes down with: as after Ctrl-C, that is 130 or 1."""
    done = advisor("profile", *training(tmp_path, of_pictures(), status=130))
    assert done.exit_code == 0


def test_cuda_that_is_not_there_is_told(advisor: Advisor, tmp_path: Path) -> None:
    """With what leads such calls to the CPU."""
    seen = Observation(device=Device(cuda_asked=1))
    seen.ended.error = "AssertionError"
    done = advisor("profile", *training(tmp_path, seen, status=1))
    assert done.exit_code == 8
    assert "--redirect-cuda leads such calls to the CPU" in done.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("profile",), "say what to run"),
        (("profile", "--", "trian"), "there is no program trian"),
        (("profile", "--", sys.executable, "-I", "train.py"), "ignore the hooks"),
        (("profile", "--name", "a", "-o", "b", "--", "sh"), "--name or -o, not both"),
        (("profile", "--name", "resnet50", "--", "sh"), "built-in"),
        (("profile", "--extends", "resnet5", "--", "sh"), "resnet50"),
        (("profile", "-o", "no/such.toml", "--", "sh"), "-o: there is no folder"),
        (("profile", "--seconds", "60", "--", "sh"), "no time with a unit"),
        (("profile", "--steps", "0", "--", "sh"), "--steps"),
        (("profile", "--name", "my net", "--", "sh"), "--name: letters, digits"),
    ],
)
def test_what_cannot_be_is_refused_before_it_runs(
    advisor: Advisor, words: tuple[str, ...], says: str
) -> None:
    """A minute of training is not lost to a slip."""
    done = advisor(*words, variables={"PATH": os.environ["PATH"]})
    assert done.exit_code == 2
    assert says in done.stderr


@pytest.mark.parametrize("where", [("--name", "mine"), ("-o", "FOLDER/own.toml")])
def test_a_place_that_cannot_be_written_loses_nothing(
    advisor: Advisor, tmp_path: Path, where: tuple[str, str]
) -> None:
    """It is seen only once the training has run: what was seen is shown and kept."""
    words = tuple(one.replace("FOLDER", str(tmp_path / "out")) for one in where)
    (tmp_path / "out").mkdir()
    command = training(tmp_path, of_pictures())
    script = Path(command[-1])
    script.write_text(
        f"{script.read_text().replace('sys.exit', '')}\n"
        "import shutil\n"
        f"for name in ('out', 'data'):\n"
        f"    shutil.rmtree(pathlib.Path({str(tmp_path)!r}, name), ignore_errors=True)\n"
        f"    pathlib.Path({str(tmp_path)!r}, name).touch()\n"
    )
    done = advisor("profile", *words, *command)
    assert done.exit_code != 0
    assert "cannot write" in done.stderr
    assert "batch_size" in done.stdout
    kept = tmp_path / "cache" / "profile.toml"
    assert f"advisor workloads import {kept} --name NAME" in done.stderr
    assert face.load_workload(kept).batch_size == 32


def test_a_cache_that_cannot_be_written_loses_nothing(
    advisor: Advisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The profile lies among the temporary files then."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "cache").touch()
    done = advisor("profile", *training(tmp_path, of_pictures()))
    assert done.exit_code == 0, done.stderr
    (kept,) = tmp_path.glob("advisor-profile-*.toml")
    assert f"written: {kept}\n" in done.stderr


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (("a/Tränen (v2) x.py",), "Tränen-v2-x"),
        (("-m", "pkg.train", "--key", "hidden.py"), "pkg.train"),
        (("-m", "pkg/../x", "y"), "python3"),
        (("-",), "python3"),
        (("-m",), "python3"),
        (("...py",), "training"),
    ],
)
def test_a_profile_without_a_name_gets_one_that_is_taken(
    words: tuple[str, ...], name: str
) -> None:
    """Whatever the script is called: a minute of training is not lost to it."""
    assert ProfileSpec(("/usr/bin/python3", *words)).workload_name == name


def test_an_epoch_that_was_not_seen_is_asked_for(
    advisor: Advisor, tmp_path: Path
) -> None:
    """It is that of another training, and all of the prediction scales with it."""
    seen = of_pictures()
    (loader,) = seen.loaders
    loader.samples_per_epoch = None
    done = advisor("profile", *training(tmp_path, seen))
    says = "the samples of an epoch are those of resnet50: --epoch-samples N says yours"
    assert says in done.stderr
    stated = ("profile", "--epoch-samples", "5000", *training(tmp_path, seen))
    assert says not in advisor(*stated).stderr


def test_a_small_figure_is_shown_whole(advisor: Advisor, tmp_path: Path) -> None:
    """In a narrow terminal: broken, it would read as another."""
    seen = of_pictures()
    flops = {part: value * 1e-6 for part, value in seen.counted.flops.items()}
    seen.counted = replace(seen.counted, flops=flops)
    wide = advisor("profile", *training(tmp_path, seen)).stdout
    row = next(one for one in wide.splitlines() if one.startswith("forward_gflops"))
    command = ("profile", *training(tmp_path, seen))
    narrow = advisor(*command, variables={"COLUMNS": "80"}).stdout
    assert row.split()[1] in narrow
    assert max(map(len, narrow.splitlines())) <= 80


@pytest.mark.parametrize(
    ("workers", "whose"), [(1, "its worker"), (3, "the largest of 3 workers")]
)
def test_memory_is_told_with_that_of_workers(
    advisor: Advisor, tmp_path: Path, workers: int, whose: str
) -> None:
    """Each of them has as much at most."""
    seen = of_pictures()
    seen.loaders[0].workers = workers
    seen.device = replace(
        seen.device, peak_host_bytes=2 * 10**9, peak_workers_bytes=5 * 10**8
    )
    done = advisor("profile", *training(tmp_path, seen))
    says = f"host memory 2 GB of the training process, 0.5 GB of {whose}"
    assert says in " ".join(done.stdout.split())


def test_a_dry_run_fits_the_terminal(advisor: Advisor) -> None:
    """Each line of it."""
    command = ("profile", "--dry-run", "--", sys.executable, "train.py")
    done = advisor(*command, variables={"COLUMNS": "80"})
    words = [line for line in done.stdout.splitlines() if "/" not in line]
    assert len(words) > 5
    assert max(map(len, words)) <= 80


@pytest.mark.parametrize(
    ("ended", "says"),
    [
        (Ended("running"), "it was killed, or left by os._exit"),
        (Ended("running", "steps"), "it was stopped"),
        (Ended("finished"), "it ended by itself"),
    ],
)
def test_it_is_told_how_the_training_ended(
    advisor: Advisor, tmp_path: Path, ended: Ended, says: str
) -> None:
    """As far as the hooks know."""
    done = advisor("profile", *training(tmp_path, replace(of_pictures(), ended=ended)))
    assert f"timed; {says} (" in " ".join(done.stdout.split())


def test_a_program_without_pytorch_is_told(advisor: Advisor, tmp_path: Path) -> None:
    """With why that may be."""
    done = advisor("profile", *training(tmp_path))
    assert done.exit_code == 1
    assert "PyTorch was not seen in it" in done.stderr


def test_a_program_without_steps_is_told(advisor: Advisor, tmp_path: Path) -> None:
    """An evaluation is no training."""
    done = advisor("profile", *training(tmp_path, Observation()))
    assert done.exit_code == 1
    assert "without a step of a PyTorch optimizer" in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_a_training_that_is_interrupted_early_is_no_failure(
    advisor: Advisor, tmp_path: Path
) -> None:
    """There is no profile yet; the command says so and is interrupted, too."""
    script = tmp_path / "train.py"
    script.write_text(
        "import os, signal\nos.kill(os.getppid(), signal.SIGTERM)\nsignal.pause()\n"
    )
    done = advisor("profile", "--", sys.executable, str(script))
    assert done.exit_code != 0
    assert "no optimizer step was seen before it was interrupted" in done.stderr


@pytest.mark.slow
@pytest.mark.skipif(not HAS_TORCH, reason="PyTorch is not installed")
def test_a_real_training_is_profiled(advisor: Advisor, tmp_path: Path) -> None:
    """From the hooks to the file: batch, samples and operations of the LSTM."""
    data = tmp_path / "data.txt"
    script = str(EXAMPLES / "lstm_text.py")
    words = ("--steps", "40", "--seconds", "5m", "--json")
    command = ("--", sys.executable, script, "--data", str(data))
    variables = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = advisor("profile", *words, *command, variables=variables)
    assert done.exit_code == 0, done.stderr
    work = done.document["workload"]
    assert (work["batch_size"], work["samples_per_epoch"]) == (20, 800)
    # See `benchmarks/profile_examples.py`: 2 layers of 4 gates, 256 wide, and the head.
    formula = 2 * 3 * 64 * (2 * 4 * 256 * 512 + 256 * 256)
    flops = work["forward_gflops_per_sample"] * work["training_flops_factor"] * 1e9
    assert flops == pytest.approx(formula, rel=0.02)
    assert done.document["steps"]["seen"] == 40
    assert done.document["ended"] == "stopped"
