"""Observations are read with care, and say what holds a training up."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.base.errors import AdvisorError
from advisor.measure.hooks.observation import Loop, Observation
from advisor.measure.observed import pace_of, read_observations, trainer_of


def left(folder: Path, observation: Observation, **changes: Any) -> None:
    document = {**observation.document(), **changes}
    path = folder / f"observation-{observation.process.pid}.json"
    path.write_text(json.dumps(document))


def test_what_was_written_is_read_back(tmp_path: Path, pictures: Observation) -> None:
    """Equal, of each process."""
    left(tmp_path, pictures)
    assert read_observations(tmp_path) == (pictures,)


def test_an_empty_folder_has_none(tmp_path: Path) -> None:
    """Nobody imported PyTorch."""
    assert read_observations(tmp_path) == ()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"<html></html>",
        b"[]",
        b'{"kind": "advisor-observation", "version": 99}',
        b'{"kind": "advisor-observation", "version": 1, "steps": {"seen": "many"}}',
        b'{"kind": "advisor-observation", "version": 1, "steps": {"seen": NaN}}',
        b"[" * 100_000,
        b"\xff\xfe",
        b" " * 10_000_001,
    ],
    ids=lambda body: repr(body[:24]),
)
def test_what_is_no_observation_is_refused(tmp_path: Path, body: bytes) -> None:
    """In one line that names the file."""
    (tmp_path / "observation-1.json").write_bytes(body)
    with pytest.raises(AdvisorError, match=r"observation-1\.json") as found:
        read_observations(tmp_path)
    assert "\n" not in str(found.value)


def test_the_trainer_is_the_process_with_steps(pictures: Observation) -> None:
    """Of several the one of rank 0."""
    launcher = Observation()
    second = replace(pictures, distributed=replace(pictures.distributed, rank=1))
    assert trainer_of([launcher, second, pictures]) is pictures
    assert trainer_of([launcher]) is None


def looped(
    pictures: Observation, step_s: list[float], wait_s: list[float] | None, **more: Any
) -> Observation:
    loop = Loop(
        step_s=step_s,
        wait_s=wait_s,
        seconds=sum(step_s),
        total_samples=32.0 * len(step_s),
        **more,
    )
    return replace(pictures, loop=loop)


def test_the_rate_is_of_all_processes(pictures: Observation) -> None:
    """Each has its own batch."""
    four = replace(pictures, distributed=replace(pictures.distributed, world_size=4))
    pace = pace_of(four)
    assert pace is not None
    assert pace.samples_per_s == pytest.approx(4 * 320.0)
    assert (pace.step_ms, pace.log_sd, pace.steps) == (pytest.approx(100.0), 0.0, 40)


def test_few_steps_say_nothing(pictures: Observation) -> None:
    """Rather no pace than one of chance."""
    assert pace_of(looped(pictures, [0.1] * 4, [0.0] * 4)) is None


@pytest.mark.parametrize(
    ("wait", "bound"), [(0.001, "compute"), (0.05, "data"), (0.095, "data")]
)
def test_a_loop_that_waits_is_bound_by_its_data(
    pictures: Observation, wait: float, bound: str
) -> None:
    """Workers that keep up are never waited for."""
    pace = pace_of(looped(pictures, [0.1] * 20, [wait] * 20))
    assert pace is not None
    assert pace.bound == bound


def test_batches_that_come_in_bursts_are_waited_for_too(pictures: Observation) -> None:
    """Several workers end together: every fourth batch is late, which is as slow."""
    pace = pace_of(looped(pictures, [0.05, 0.05, 0.05, 0.45] * 10, [0, 0, 0, 0.4] * 10))
    assert pace is not None
    assert pace.bound == "data"


def test_workers_that_start_are_no_bound(pictures: Observation) -> None:
    """An epoch's first batch is late whatever binds the others."""
    steps = [3.0, *([0.1] * 19)] * 2
    waits = [2.9, *([0.001] * 19)] * 2
    pace = pace_of(looped(pictures, steps, waits))
    assert pace is not None
    assert pace.bound == "compute"


def test_who_loads_himself_is_bound_by_the_longer(pictures: Observation) -> None:
    """Loading is time of the loop then; it binds if it takes more than all else."""
    alone = replace(pictures, loaders=[replace(pictures.loaders[0], workers=0)])
    for wait, bound in ((0.04, "compute"), (0.06, "data")):
        pace = pace_of(looped(alone, [0.1] * 20, [wait] * 20))
        assert pace is not None
        assert pace.bound == bound


def test_a_gpu_that_is_busy_loses_nothing(pictures: Observation) -> None:
    """The loop waits early for the next batch: only an idle GPU is held up."""
    for idle, bound in ((0.0, "compute"), (1.0, "data")):
        pace = pace_of(looped(pictures, [0.1] * 20, [0.09] * 20, gpu_idle_waits=idle))
        assert pace is not None
        assert pace.bound == bound


def test_without_a_loader_nobody_can_tell(pictures: Observation) -> None:
    """A share that was not seen is not zero."""
    pace = pace_of(looped(replace(pictures, loaders=[]), [0.1] * 20, None))
    assert pace is not None
    assert (pace.wait_share, pace.bound) == (None, None)


@given(
    st.lists(st.tuples(st.floats(1e-6, 10.0), st.floats(0.0, 1.0)), min_size=5),
)
def test_the_share_of_waiting_is_a_share(pairs: list[tuple[float, float]]) -> None:
    """Whatever the times are, as long as no wait is longer than its step."""
    steps = [step for step, _ in pairs]
    waits = [step * share for step, share in pairs]
    pace = pace_of(Observation(loop=Loop(step_s=steps, wait_s=waits)))
    assert pace is not None
    assert pace.wait_share is not None
    assert 0.0 <= pace.wait_share <= 1.0 + 1e-9
    assert pace.samples_per_s is None
