"""The ten minutes on a GPU: what comes first, and what a lack of time leaves."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from advisor.measure.probe.images import jpegs

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def plan(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from gpu_parts.cases import Plan  # noqa: PLC0415

    return Plan("cuda:0", is_tiny=False, cores=16, files=("0.jpg",))


def test_each_number_of_cores(plan: Any) -> None:
    """Training is fed, and pictures are decoded, by 16, 8, 4, 2 and 1 cores."""
    by_cores: dict[str, list[int]] = {}
    for case in plan.cases():
        if case.cores is not None and not case.setting.get("compiled"):
            kind = case.setting.get("profile", "decoding")
            by_cores.setdefault(kind, []).append(case.cores)
    assert set(by_cores) == {"resnet50", "resnet18", "decoding"}
    assert all(cores == [16, 8, 4, 2, 1] for cores in by_cores.values())


def test_names_tell_cases_apart(plan: Any) -> None:
    """What is left out is named so that one knows which."""
    names = [case.name for case in plan.cases()]
    assert len(set(names)) == len(names)


def test_the_most_telling_are_in_time(plan: Any) -> None:
    """Ten minutes suffice for all that is not compiled, by what each is said to take."""
    eager = [case.seconds for case in plan.cases() if not case.setting.get("compiled")]
    assert sum(eager) < 570.0


@pytest.mark.slow
def test_what_the_cores_do(plan: Any, tmp_path: Path) -> None:
    """The readings of the cores reach the file, within their time."""
    pytest.importorskip("PIL", reason="Pillow is not installed (extra `measure`)")
    from gpu_parts.apart import cores_apart  # noqa: PLC0415

    file = tmp_path / "0.jpg"
    file.write_bytes(jpegs()[-1])
    got: list[Any] = []
    cores_apart(got.append, [str(file)], 2.0)
    assert "core.zlib" in {one.name for one in got}


@pytest.mark.slow
def test_without_time_the_file_says_so(tmp_path: Path) -> None:
    """Whatever there was no time for is named in the file, which is whole."""
    pytest.importorskip("PIL", reason="Pillow is not installed (extra `measure`)")
    file = tmp_path / "out.json"
    script = str(BENCHMARKS / "gpu_bench.py")
    asked = ["--device", "cpu", "--tiny", "--seconds", "0.1", "-o", str(file)]
    subprocess.run([sys.executable, script, *asked], check=True, capture_output=True)
    document = json.loads(file.read_text())
    assert (document["kind"], document["version"]) == ("advisor-gpu-bench", 1)
    assert document["rows"] == []
    left_out = {one["name"]: one["why"] for one in document["skipped"]}
    assert left_out["parts"] == "there was no time left for it"
