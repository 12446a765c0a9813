"""A machine that cannot run the job is replaced once, remembered, and never blamed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("uvicorn", reason="the extra 'simulator' is not installed")

from advisor.simulator.scenarios import SCENARIOS

pytestmark = pytest.mark.slow

LOG_LINE = '{"train_runtime": 100.0, "train_loss": 0.3, "epoch": 1.0}'


@pytest.fixture
def street(inhabited: Any) -> Any:
    """Return a calm market whose machines are there."""
    return inhabited


def fail_once(street: Any, name: str) -> None:
    street.world.set_faults(*SCENARIOS[name].faults)


def blamed(street: Any) -> list[Any]:
    return list(street.launch("hosts", "list", "--json").document["hosts"])


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("no-kernel-image", "the image has no code for this GPU"),
        ("driver-refuses", "the driver is too old for the image"),
        ("gpu-error", "the GPUs do not compute"),
    ],
)
def test_what_cannot_run_the_image_is_found_before_the_job_starts(
    street: Any, project: Path, fault: str, words: str
) -> None:
    """A product on its GPU fails: the job goes to another kind of machine, once."""
    fail_once(street, fault)
    done = street.run(project, f"echo '{LOG_LINE}'")
    assert done.exit_code == 0, done.stderr
    assert words in done.stderr
    assert done.stderr.count("started: ") == 1
    first, second = street.entries()
    assert (first.state, second.state) == ("released", "released")
    assert first.machine_id != second.machine_id
    assert blamed(street) == []
    assert street.instances() == []


def test_a_command_killed_for_memory_goes_where_there_is_more(
    street: Any, project: Path
) -> None:
    """What it had saved goes along; the host is not to blame, the exit code is zero."""
    ram_mb = {one["machine_id"]: one["cpu_ram"] for one in street.records()}
    fail_once(street, "killed-for-memory")
    (project / "train.py").write_text(
        "import pathlib; at = pathlib.Path('checkpoints'); at.mkdir(exist_ok=True); "
        "(at / 'epoch').write_text('1'); print('done')"
    )
    done = street.run(project, "exec python3 train.py")
    assert done.exit_code == 0, done.stderr
    assert "killed for want of host memory" in done.stderr
    assert "the job goes to a machine that fits" in done.stderr
    assert done.stdout.splitlines()[-1] == "done"
    first, second = street.entries()
    assert ram_mb[second.machine_id] > ram_mb[first.machine_id]
    assert blamed(street) == []
    assert street.instances() == []


REFUSED = "DefaultCPUAllocator: can't allocate memory: you tried to allocate {} bytes"


def test_what_fails_the_same_on_two_machines_is_how_it_ended(
    street: Any, project: Path
) -> None:
    """A third would be paid for nothing: exit code, symptom and log are told."""
    words = REFUSED.format(64_000_000_000)
    done = street.run(project, f'echo "{words}"; exit 7')
    assert done.exit_code == 8
    last = done.stderr.splitlines()[-1]
    assert "exit code 7: killed for want of host memory" in last
    assert words in last
    assert last.endswith(".log")
    assert len(street.entries()) == 2
    assert blamed(street) == []
    assert street.instances() == []


def test_a_training_that_its_gpu_does_not_hold_goes_to_a_larger_one(
    street: Any, project: Path
) -> None:
    """Once; its host is not to blame, and another job may have the machine."""
    memory = {one["machine_id"]: one["gpu_ram"] for one in street.records()}
    words = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB"
    script = (
        "[ -e checkpoints/tried ] && exit 0; mkdir checkpoints; touch checkpoints/tried; "
        f"echo '{words}'; exit 1"
    )
    done = street.run(project, script)
    assert done.exit_code == 0, done.stderr
    assert "out of GPU memory (" in done.stderr
    first, second = street.entries()
    assert memory[second.machine_id] > memory[first.machine_id]
    assert blamed(street) == []


def test_where_no_other_machine_fits_the_first_end_is_told(
    street: Any, project: Path
) -> None:
    """Not that nothing could be rented: a command has run, and how it ended counts."""
    best = max(street.records(), key=lambda one: one["cpu_ram"])
    words = REFUSED.format(64_000_000_000)
    only = ("--where", f"machine_id={best['machine_id']}")
    done = street.run(project, f'echo "{words}"; exit 7', *only)
    assert done.exit_code == 8
    assert "there is no other machine for it" in done.stderr
    assert "exit code 7: killed for want of host memory" in done.stderr
    assert len(street.entries()) == 1
    assert street.instances() == []


def test_what_a_failing_command_prints_rents_no_second_machine(
    street: Any, project: Path
) -> None:
    """Its own failure is told as such, whatever else is in the log."""
    lines = (
        "OSError: [Errno 8] Exec format error: './train.sh'",
        "UserWarning: CUDA initialization: The NVIDIA driver on your system is too old",
        "RTX 5090 is not compatible with the current PyTorch installation",
        "memory.events: oom_kill=0, started with --oom-kill-disable",
        REFUSED.format(400_000_000_000_000),
        "SyntaxError: invalid syntax",
    )
    (project / "printed").write_text("\n".join(lines))
    done = street.run(project, "cat printed; exit 1")
    assert done.exit_code == 8
    assert "your command ended with exit code 1; see " in done.stderr
    assert len(street.entries()) == 1


@pytest.mark.slow
def test_a_resumed_job_does_not_rent_again_what_could_not_run_it(
    street: Any, project: Path
) -> None:
    """Its next launcher knows what the first has met; more memory can be asked for."""
    words = REFUSED.format(64_000_000_000)
    script = f'echo "{words}"; exit 7'
    assert street.run(project, script, "--job", "big").exit_code == 8
    met = {one.machine_id for one in street.entries()}
    done = street.launch("run", "--yes", "--resume", "big")
    assert done.exit_code == 8
    assert "was seen not to run this" in done.stderr
    again = [one.machine_id for one in street.entries()][2:]
    assert again
    assert not met & set(again)
    ram_mb = {one["machine_id"]: one["cpu_ram"] for one in street.records()}
    assert min(ram_mb[one] for one in again) > max(ram_mb[one] for one in met)
    done = street.launch("run", "--yes", "--resume", "big", "--min-ram", "100000")
    assert done.exit_code == 3


def test_a_kill_alone_is_the_users_own(street: Any, project: Path) -> None:
    """Exit code 137 without a sign of memory: the command has failed, nothing else."""
    done = street.run(project, "kill -KILL $$")
    assert done.exit_code == 8
    assert "exit code 137" in done.stderr
    assert len(street.entries()) == 1
    assert street.instances() == []


def test_rent_and_wait_tries_the_gpu(street: Any) -> None:
    """A machine whose image has no code for it is replaced before it is handed over."""
    fail_once(street, "no-kernel-image")
    done = street.rent("--wait")
    assert done.exit_code == 0, done.stderr
    outcomes = [one["outcome"] for one in done.document["attempts"]]
    assert outcomes == ["image_lacks_gpu", "rented"]
    assert "with CUDA capability sm_" in done.document["attempts"][0]["reason"]
    assert blamed(street) == []
    assert len(street.instances()) == 1


def test_the_next_rental_remembers_for_a_day_what_did_not_run(street: Any) -> None:
    """The same machine with the same image; another image, or tomorrow, it may do.

    Also a job of the same name: it begins anew, and may be another by now.
    """
    fail_once(street, "no-kernel-image")
    attempts = street.rent("--wait", "--job", "mine").document["attempts"]
    failed = attempts[0]["machine_id"]
    only = ("--where", f"machine_id={failed}", "--job", "mine")
    refused = street.rent("--wait", *only)
    assert refused.exit_code == 3
    assert "was seen not to run this" in refused.stderr
    other = ("--image", "pytorch/pytorch:2.7.1-cuda12.8-cudnn9-runtime")
    assert street.rent("--dry-run", *only, *other).exit_code == 0
    street.sleep(25.0 * 3600.0)
    assert street.rent("--dry-run", *only).exit_code == 0
