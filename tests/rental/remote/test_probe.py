"""What a machine shows of its GPUs and its memory; what is printed is not believed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from advisor.base.errors import UnreachableError
from advisor.rental.remote.job import RemoteJob
from advisor.rental.remote.probe import Probed, probe, symptom_of_end
from advisor.software.misfit import Symptom

TORCH = """\
import sys
class version: cuda = {cuda!r}
class cuda:
    device_count = staticmethod(lambda: {count})
class _Ones:
    def __matmul__(self, other): return self
    def sum(self): return self
    def item(self):
        if {error!r}: raise RuntimeError({error!r})
def ones(*size, device):
    print({warning!r}, file=sys.stderr)
    return _Ones()
"""
NO_CODE = (
    "CUDA error: no kernel image is available for execution on the device\nCUDA kernel "
    "errors might be asynchronously reported at some other API call"
)
WARNING = (
    "NVIDIA GeForce RTX 5090 with CUDA capability sm_120 is not compatible with the "
    "current PyTorch installation."
)
PRINTED = f"RuntimeError: {NO_CODE}"
KILLED = "DataLoader worker (pid 71) is killed by signal: Killed."

PutTorch = Callable[..., None]


@pytest.fixture
def put_torch(machine: Any) -> Iterator[PutTorch]:
    """Return what puts a module of PyTorch's name on the machine, until the test ends."""
    folder = machine.home / ".advisor"
    folder.mkdir(exist_ok=True)
    environment = folder / "environment"
    before = environment.read_text() if environment.exists() else None
    place = folder / "fake"

    def put(
        count: int = 1, error: str = "", warning: str = "", cuda: str | None = "12.8"
    ) -> None:
        (place / "torch").mkdir(parents=True, exist_ok=True)
        body = TORCH.format(cuda=cuda, count=count, error=error, warning=warning)
        (place / "torch" / "__init__.py").write_text(body)
        lines = f"export PYTHONPATH='{place}' PYTHONDONTWRITEBYTECODE=1"
        # Compiled, the next one might be taken for this one: as old, and as long.
        environment.write_text(f"{before or ''}\n{lines}\n")

    yield put
    if before is None:
        environment.unlink(missing_ok=True)
    else:
        environment.write_text(before)


@pytest.mark.parametrize(
    ("torch", "num_gpus", "misfit"),
    [
        ({"count": 2}, 2, None),
        ({"count": 3}, 2, None),
        ({"warning": WARNING}, 1, None),
        ({"error": NO_CODE}, 1, "image_lacks_gpu"),
        ({"error": NO_CODE, "warning": WARNING}, 1, "image_lacks_gpu"),
        ({"count": 0}, 1, "gpu_error"),
        ({"count": 3}, 4, "gpu_error"),
        ({"error": "CUDA error: uncorrectable ECC error encountered"}, 1, "gpu_error"),
    ],
)
def test_what_computes_fits_and_nothing_else(
    machine: Any,
    put_torch: PutTorch,
    torch: dict[str, Any],
    num_gpus: int,
    misfit: str | None,
) -> None:
    """A warning is none where the product is right; every GPU that is rented must do."""
    put_torch(**torch)
    probed = probe(machine.ssh, num_gpus)
    assert probed.computes == (misfit is None)
    assert (probed.symptom and probed.symptom.misfit) == misfit


def test_the_evidence_of_a_gpu_that_fails_is_its_error(
    machine: Any, put_torch: PutTorch
) -> None:
    """So that its owner can be told what it is."""
    put_torch(error="CUDA error: uncorrectable ECC error encountered")
    symptom = probe(machine.ssh, 1).symptom
    assert symptom is not None
    assert "uncorrectable ECC error" in str(symptom)


def test_a_pytorch_without_cuda_shows_nothing(machine: Any, put_torch: PutTorch) -> None:
    """It cannot be asked; the command may bring its own."""
    put_torch(cuda=None)
    assert probe(machine.ssh, 1) == Probed(computes=False, symptom=None)


def failed(machine: Any, name: str, printed: str) -> Symptom | None:
    """Run a command that prints something and fails; return what that shows."""
    job = RemoteJob(machine.ssh, f"probe-{name}")
    job.start(
        ["sh", "-c", "cat >&2 <<'END'\n" + printed + "\nEND\nexit 1"], folder="work"
    )
    log = b"".join(job.follow()).decode()
    assert job.state().exit_code == 1
    return symptom_of_end(job, 1, log)


def test_the_users_own_failure_is_no_misfit(machine: Any, put_torch: PutTorch) -> None:
    """Where the GPU computes, what lacks its code is an extension of the user's."""
    put_torch()
    assert failed(machine, "own", f"{WARNING}\n{PRINTED}\nSyntaxError: oh") is None
    put_torch(error=NO_CODE)
    found = failed(machine, "image", PRINTED)
    assert found is not None
    assert found.misfit == "image_lacks_gpu"


def test_a_gpu_that_fails_on_the_way_is_found(machine: Any, put_torch: PutTorch) -> None:
    """The command's error names no cause; the machine shows it when it is asked."""
    printed = "RuntimeError: CUDA error: unspecified launch failure"
    put_torch()
    assert failed(machine, "bug", printed) is None
    put_torch(error="CUDA error: GPU is lost")
    found = failed(machine, "lost", printed)
    assert found is not None
    assert found.misfit == "gpu_error"


@pytest.fixture
def counter(machine: Any) -> Iterator[Callable[[str], None]]:
    """Return what writes the machine's counter of memory, in place of the kernel."""
    place = machine.home.parent / "counting"
    place.mkdir(exist_ok=True)
    events = place / "events"
    cat = place / "cat"
    cat.write_text(
        '#!/bin/sh\ncase "$*" in\n'
        f"  */memory.events*) exec /bin/cat '{events}' ;;\nesac\n"
        'exec /bin/cat "$@"\n'
    )
    cat.chmod(0o755)
    enter = machine.home.parent / "enter"
    before = enter.read_text()
    enter.write_text(before.replace("export PATH=", f"export PATH='{place}':", 1))
    yield events.write_text
    enter.write_text(before)


@pytest.mark.parametrize(
    ("before", "after", "kills"),
    [
        ("low 0\noom 3\noom_kill 2\n", "low 0\noom 9\noom_kill 5\n", 3),
        ("oom_kill 2\n", "oom_kill 2\n", 0),
        ("", "", None),
        ("oom_kill_disable 0\nunder_oom 0\noom_kill 1\n", "oom_kill 2\n", 1),
        ("oom_kill many\n", "oom_kill 4\n", None),
        ("oom_kill 4\n", "oom_kill 1\n", None),
    ],
)
def test_only_kills_since_the_start_count(
    machine: Any,
    counter: Callable[[str], None],
    before: str,
    after: str,
    kills: int | None,
) -> None:
    """The container's counter, of either version; one that goes back counts nothing."""
    counter(before)
    job = RemoteJob(machine.ssh, f"kills-{abs(hash((before, after)))}")
    job.start(["true"], folder="work")
    b"".join(job.follow())
    counter(after)
    assert job.memory_kills() == kills
    symptom = symptom_of_end(job, 1, KILLED)
    shown = kills is None or kills > 0
    assert (symptom and symptom.misfit) == ("host_ram_too_small" if shown else None)


class Deaf:
    """A machine that cannot be asked."""

    def run(self, *_: object, **__: object) -> None:
        message = "no ssh"
        raise UnreachableError(message)

    ask = run


def test_a_machine_that_cannot_be_asked_shows_nothing() -> None:
    """Of its GPUs; what the command has printed counts then."""
    deaf: Any = Deaf()
    assert probe(deaf, 1) == Probed(computes=False, symptom=None)
    remote = RemoteJob(deaf, "x")
    told = symptom_of_end(remote, 1, f"RuntimeError: {KILLED}\n")
    assert told is not None
    assert told.misfit == "host_ram_too_small"
    assert symptom_of_end(remote, 1, "ValueError: no\n") is None
