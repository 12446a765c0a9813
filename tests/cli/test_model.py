"""`advisor model evaluate`: drawn beside its table, and run on a Dask cluster."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from advisor.base.parallel import each
from advisor.cli.parallel import in_parallel

pytestmark = pytest.mark.slow

Advisor = Callable[..., Any]


def test_an_evaluation_is_drawn_split_by_split(advisor: Advisor, tmp_path: Path) -> None:
    """As many marks as rows are counted, and the figures that are printed, too."""
    pytest.importorskip("matplotlib", reason="the extra 'plots' is not installed")
    path = tmp_path / "cpu.svg"
    words = ("model", "evaluate", "--split", "cpu", "--jobs", "1", "--json")
    outcome = advisor(*words, "--plot", str(path))
    assert outcome.exit_code == 0, outcome.stderr
    assert outcome.stderr.splitlines() == [f"plot written to {path}"]
    splits, svg = outcome.document["splits"], path.read_text(encoding="utf-8")
    drawn = re.findall(r'<g id="split-(\w+)">(.*?)</g>\s*</g>', svg, re.DOTALL)
    assert [name for name, _ in drawn] == list(splits)
    for name, marks in drawn:
        assert marks.count("<use ") == splits[name]["n"]
        assert f"{splits[name]['n']:,} rows, mean error" in svg


def test_an_evaluation_runs_on_a_cluster(advisor: Advisor) -> None:
    """Its tasks are on the workers, and the figures are those of this computer."""
    distributed = pytest.importorskip(
        "distributed", reason="the extra 'fleet' is not installed"
    )
    words = ("model", "evaluate", "--split", "cpu", "--json")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0"
    ) as cluster:
        guests = list[str]()

        class Guests(distributed.SchedulerPlugin):  # type: ignore[misc, name-defined]
            def add_client(self, scheduler: object, client: str) -> None:
                guests.append(client)

        cluster.scheduler.add_plugin(Guests())
        there = advisor(*words, "--dask", cluster.scheduler_address)
        assert guests
        with in_parallel(None, cluster.scheduler_address):
            pids = set(each("processes", os.getpid, [()] * 4))
    assert there.exit_code == 0, there.stderr
    assert there.document == advisor(*words, "--jobs", "1").document
    assert os.getpid() not in pids


def test_a_cluster_that_is_not_there_is_told_in_a_line(advisor: Advisor) -> None:
    """So is one together with a number of jobs, which it has itself."""
    pytest.importorskip("distributed", reason="the extra 'fleet' is not installed")
    words = ("model", "evaluate", "--split", "cpu", "--dask")
    for more, said in (
        (("nonsense://",), "--dask: no Dask scheduler answers at nonsense://"),
        (("tcp://127.0.0.1:1", "--jobs", "2"), "--jobs and --dask contradict"),
    ):
        outcome = advisor(*words, *more)
        assert outcome.exit_code == 2
        assert outcome.stderr.startswith(said)
        assert "\n" not in outcome.stderr
