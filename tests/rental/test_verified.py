"""A machine is measured before it is used: a slow one gives way, and is remembered."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("uvicorn", reason="the extra 'simulator' is not installed")

from advisor.base.errors import UsageError
from advisor.simulator.generate.machines import HostCpu
from advisor.simulator.local import LocalContainers, own_cpu
from advisor.simulator.scenarios import SCENARIOS
from advisor.simulator.throttle import make_group, remove_group

RUN = ("run", "--workload", "resnet50", "--epochs", "90", "--set", "dataset_gb=1")
RUN += ("--yes", "--num-gpus", "1", "--budget", "1000")


@pytest.fixture
def street(make_street: Any, host: LocalContainers) -> Any:
    """Return a calm market whose machines list one core of this computer."""
    missing = LocalContainers.missing()
    if not missing and shutil.which("rsync") is None:
        missing = "rsync is not installed"
    if missing:
        pytest.skip(missing)
    return make_street(host=host, cpu=HostCpu(own_cpu().name, 1))


@pytest.fixture
def throttled() -> None:
    """Skip where no machine can be made slow."""
    try:
        remove_group(make_group("advisor-test", 0.5))
    except UsageError as error:
        pytest.skip(str(error))


def run(street: Any, project: Path, script: str, *words: str) -> Any:
    line = [*RUN, "--sync", str(project), *words, "--", "sh", "-c", script]
    return street.launch(*line)


@pytest.mark.slow
@pytest.mark.usefixtures("throttled")
def test_a_slow_host_gives_way_to_the_next(street: Any, project: Path) -> None:
    """It is told what was slow, and what that cost; the job runs where it is not."""
    street.world.set_faults(*SCENARIOS["slow-host"].faults)
    done = run(street, project, "echo well")
    assert done.exit_code == 0, done.stderr
