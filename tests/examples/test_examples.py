"""The examples do what they say, against a simulated market whose machines run."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from advisor.simulator.faults import Fault
from advisor.simulator.scenarios import SCENARIOS

JOB = ("--workload", "resnet50", "--epochs", "2", "--set", "dataset_gb=1")
TRAIN = """\
import os, pathlib, sys
if "fail" in sys.argv: sys.exit(9)
assert "VAST_API_KEY" not in os.environ
pathlib.Path("results").mkdir(exist_ok=True)
pathlib.Path("results/words").write_text(" ".join(sys.argv[1:]))
print("accuracy", sys.argv[-1])
"""


@pytest.mark.parametrize("name", ["launch.sh", "ci/train.sh"])
def test_scripts_are_sound_shell(examples: Path, name: str) -> None:
    """Bash reads them whole, and they can be run as they are."""
    done = subprocess.run(
        ["bash", "-n", examples / name], capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert os.access(examples / name, os.X_OK)


def test_the_readme_names_every_example(examples: Path) -> None:
    """A file that nobody is told of is not found; a package is told of as a whole."""
    readme = (examples / "README.md").read_text()
    packages = [path.parent for path in examples.rglob("pyproject.toml")]
    for package in packages:
        assert f"`{package.name}/`" in readme
    for path in examples.rglob("*"):
        if any(path.is_relative_to(one) for one in packages):
            continue
        if path.is_file() and "__pycache__" not in path.parts:
            assert path.name == "README.md" or f"`{path.name}`" in readme, path


def launch(town: Any, examples: Path, *words: str) -> subprocess.CompletedProcess[str]:
    done: subprocess.CompletedProcess[str] = town.run(examples / "launch.sh", *words)
    return done


@pytest.mark.slow
def test_the_shell_launcher_runs_a_command_and_releases(
    town: Any, examples: Path
) -> None:
    """Its words arrive whole, its exit code comes back, one machine was paid for."""
    script = 'printf "<%s>" "$@"; exit 9'
    words = ("bash", "-c", script, "-", "two words", "$HOME", "it's")
    done = launch(town, examples, *JOB, "--budget", "5", "--", *words)
    assert done.returncode == 9, done.stderr
    assert done.stdout == "<two words><$HOME><it's>"
    assert [one["destroyed"] for one in town.machines()] == [True]


@pytest.mark.slow
def test_the_shell_launcher_releases_when_it_is_ended(town: Any, examples: Path) -> None:
    """A signal while the command runs, as a CI that is cancelled sends it."""
    process = subprocess.Popen(
        [
            examples / "launch.sh",
            *JOB,
            "--",
            "sh",
            "-c",
            "echo up; exec tail -f /dev/null",
        ],
        cwd=town.folder,
        env=town.variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        os.killpg(process.pid, signal.SIGTERM)
        assert process.wait(30) == 143
    assert [one["destroyed"] for one in town.machines()] == [True]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("limits", "status", "told"),
    [
        (("--gpu", "H200", "--num-gpus", "7"), 3, "nothing fits"),
        (("--budget", "0.0001"), 6, "over budget"),
        (("--no-such-option",), 2, "No such option"),
    ],
)
def test_the_shell_launcher_says_why_there_is_no_machine(
    town: Any, examples: Path, limits: tuple[str, ...], status: int, told: str
) -> None:
    """With the exit code of the refusal; nothing was rented."""
    done = launch(town, examples, *JOB, *limits, "--", "true")
    assert done.returncode == status, done.stderr
    assert told in done.stderr
    assert town.machines() == []


def test_the_shell_launcher_waits_where_the_market_asks_it_to(
    town: Any, examples: Path
) -> None:
    """A quota that is used up is told as such, and nothing was rented."""
    town.world.set_faults(*SCENARIOS["quota"].faults)
    done = launch(town, examples, *JOB, "--", "true")
    assert done.returncode == 5, done.stderr
    assert "asked too often" in done.stderr
    assert town.machines() == []


@pytest.mark.slow
def test_the_shell_launcher_looks_for_what_nobody_knows_of(
    town: Any, examples: Path
) -> None:
    """A rental is said to be refused, and the market lists nothing for a while."""
    town.world.set_faults(
        Fault("refused", "not-success", ("rent",), times=1, after=True),
        Fault("blind", "text", ("list",), skip=1, times=10),  # two calls, tried again
    )
    done = launch(town, examples, *JOB, "--", "true")
    assert done.returncode == 7, done.stderr
    assert "something may be rented" in done.stderr
    assert [one["destroyed"] for one in town.machines()] == [True]


@pytest.mark.slow
def test_the_ci_job_trains_and_brings_the_results(town: Any, examples: Path) -> None:
    """As the workflow calls it; afterwards `reconcile` finds nothing to do."""
    (town.folder / "train.py").write_text(TRAIN)
    done = town.run(examples / "ci" / "train.sh", "--epochs", "90", GITHUB_RUN_ID="41")
    assert done.returncode == 0, done.stderr
    assert "accuracy 90" in done.stdout
    assert (town.folder / "results" / "words").read_text() == "--epochs 90"
    (machine,) = town.machines()
    assert machine["destroyed"]
    assert machine["label"].startswith("advisor:ci-41:")
    assert town.run("advisor", "reconcile").returncode == 0


@pytest.mark.slow
def test_the_ci_job_fails_with_its_training(town: Any, examples: Path) -> None:
    """And has released the machine all the same."""
    (town.folder / "train.py").write_text(TRAIN)
    done = town.run(examples / "ci" / "train.sh", "fail")
    assert done.returncode == 8
    assert "ended with exit code 9" in done.stderr


def test_the_workflow_keeps_the_key_out_of_commands(examples: Path) -> None:
    """It is a secret that goes to the environment, and what is left is ended always."""
    lines = (examples / "ci" / "train.yml").read_text().splitlines()
    keys = [line.strip() for line in lines if "VAST_API_KEY" in line]
    assert len(keys) == 1
    assert keys[0].startswith("VAST_API_KEY: ${{ secrets.VAST_API_KEY }}")
    at = next(n for n, line in enumerate(lines) if "run: advisor reconcile" in line)
    assert lines[at - 1].strip() == "if: always()"


@pytest.mark.parametrize("parallel", ["1", pytest.param("2", marks=pytest.mark.slow)])
def test_the_sweep_tries_every_rate(
    town: Any,
    load: Any,
    examples: Path,
    capsys: pytest.CaptureFixture[str],
    parallel: str,
) -> None:
    """One that fails is told and counts; the others go on, within the one job."""
    (town.folder / "train.py").write_text(TRAIN)
    rates = ["0.1", "fail", "0.01"][: 3 if parallel == "2" else 2][::-1]
    words = [*rates, "--workload", "resnet50", "--budget", "20", "--parallel", parallel]
    words += ["--folder", str(town.folder)]
    status = load(examples / "sweep.py").main(
        words, epochs=2, settings={"dataset_gb": 1}, context=town.context
    )
    out = capsys.readouterr().out
    rows = [re.split(r" {2,}", line.strip()) for line in out.splitlines()]
    assert [row[0] for row in rows[1:]] == rates
    results = {row[0]: row[-1] for row in rows[1:]}
    assert results.pop("fail") == "'python train.py --lr fail' ended with 9:"
    assert results == {rate: f"accuracy {rate}" for rate in results}
    assert status == 1
    for rate in results:
        words_there = town.folder / "results" / rate / "words"
        assert words_there.read_text() == f"--lr {rate}"
    labels = [one["label"].split(":")[1] for one in town.machines()]
    assert len(labels) == len(rates)
    assert len(set(labels)) == 1


def ranking(*more: str) -> str:
    line = [sys.executable, "-m", "advisor", "rank", "--workload", "resnet50"]
    line += ["--market", "sample", "--json", *more]
    return subprocess.run(line, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def ranked() -> str:
    """Return the ranking of the bundled sample."""
    return ranking()


def hand_over(
    examples: Path, document: str, tool: str, *more: str
) -> subprocess.CompletedProcess[str]:
    """Run the example with nothing but the standard library at hand."""
    line = [sys.executable, "-I", "-S", str(examples / "handover.py"), "--for", tool]
    return subprocess.run(
        [*line, *more], input=document, capture_output=True, text=True, check=False
    )


def parsed(text: str) -> dict[str, Any]:
    """Return what a task file says: nested keys, with values as JSON has them."""
    root: dict[str, Any] = {}
    levels = [root]
    for line in text.splitlines():
        match = re.fullmatch(r"((?:  )*)([a-z_]+):(?: (.+))?", line)
        assert match is not None, line
        depth = len(match[1]) // 2
        assert depth < len(levels)
        del levels[depth + 1 :]
        if match[3] is None:
            levels[depth][match[2]] = {}
            levels.append(levels[depth][match[2]])
            continue
        try:
            value = json.loads(match[3])
        except ValueError:
            value = match[3]
        levels[depth][match[2]] = value
    return root


COMMAND = ("--", "python", "train.py", "--note", 'it\'s "5"')
LINE = "python train.py --note 'it'\"'\"'s \"5\"'"


def test_skypilot_gets_the_offer(examples: Path, ranked: str) -> None:
    """The best offer's constraints in SkyPilot's words, and what it is not told."""
    best = json.loads(ranked)["offers"][0]
    done = hand_over(examples, ranked, "skypilot", *COMMAND)
    task = parsed(done.stdout)
    wanted = task.pop("resources")
    assert task == {"name": "train-resnet50", "run": LINE}
    assert wanted.pop("max_hourly_cost") >= best["usd_per_hour"]
    name, _, count = wanted.pop("accelerators").partition(":")
    assert best["gpu_name"].replace(" ", "").startswith(name)
    assert int(count) == best["num_gpus"]
    cpus = f"{int(best['cpu_cores'])}+"
    assert wanted == {"infra": "vast", "cpus": cpus, "disk_size": 180, "use_spot": False}
    assert "the CPU model" in done.stderr
    assert "the exact machine" in done.stderr


def test_dstack_gets_the_offer(examples: Path, ranked: str) -> None:
    """The same in dstack's words; another offer than the best can be chosen."""
    third = json.loads(ranked)["offers"][2]
    done = hand_over(examples, ranked, "dstack", "--rank", "3", *COMMAND)
    task = parsed(done.stdout)
    assert task.pop("max_price") >= third["usd_per_hour"]
    gpu = task["resources"].pop("gpu")
    memory = int(gpu.pop("memory").removesuffix("GB.."))
    assert third["memory_gb"] / 1.074 - 1 < memory < 200
    assert gpu["count"] == third["num_gpus"]
    cpus = f"{int(third['cpu_cores'])}.."
    assert task.pop("resources") == {"cpu": cpus, "disk": "180GB.."}
    assert task == {
        "type": "task",
        "name": "train-resnet50",
        "commands": [LINE],
        "backends": "[vastai]",
        "spot_policy": "on-demand",
    }


def test_an_interruptible_offer_stays_one(examples: Path) -> None:
    """A bid is not handed over as on demand; that dstack has none is told."""
    document = ranking("--interruptible")
    done = hand_over(examples, document, "skypilot", "--", "true")
    assert "  use_spot: true\n" in done.stdout
    done = hand_over(examples, document, "dstack", "--", "true")
    assert "\nspot_policy: spot\n" in done.stdout
    assert "on-demand offers alone" in done.stderr


def test_gpu_names_are_those_of_the_tools(load: Any, examples: Path, ranked: str) -> None:
    """SkyPilot's by examples; dstack's as its own library has them, where it is there."""
    handover = load(examples / "handover.py")
    for name, spelled in {
        "RTX 4090": "RTX4090",
        "RTX 4070S Ti": "RTX4070",
        "RTX 6000Ada": "RTX6000-Ada",
        "A100 SXM4": "A100",
        "H100 NVL": "H100",
        "Tesla V100": "V100",
        "Q RTX 8000": "RTX8000",
        "RTX A6000": "RTXA6000",
    }.items():
        assert handover.skypilot_gpu(name) == spelled
    vastai = pytest.importorskip("gpuhunt.providers.vastai")
    names = {one["gpu_name"] for one in json.loads(ranked)["offers"]}
    assert len(names) > 50
    for name in names:
        assert handover.dstack_gpu(name) == vastai.get_dstack_gpu_name(name)


@pytest.mark.parametrize(
    ("document", "status"),
    [("", 2), ("[]", 2), ('{"offers": [], "workload": {"name": "x"}}', 3)],
)
def test_what_is_no_ranking_is_refused(
    examples: Path, document: str, status: int
) -> None:
    """In one line, with the exit code that `advisor` has for it."""
    done = hand_over(examples, document, "skypilot", "--", "true")
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr.startswith("handover: ")
    assert done.stderr.count("\n") == 1
