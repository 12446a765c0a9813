"""Step 0 says whether PyTorch can train here, and what to do where it cannot."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from advisor.measure.bench import parse_bench
from advisor.measure.probe.gpu.fit import check_fit, runs_on
from advisor.measure.probe.lines import Check, Result
from tests.measure.probe.gpu.conftest import H100, RTX_4090, Smi, command

Torch = Callable[..., None]


def fit(tmp_path: Path) -> tuple[Result, dict[str, Check]]:
    result = Result("quick")
    check_fit(result, str(tmp_path))
    assert len({check.name for check in result.checks}) == len(result.checks)
    document = json.loads(json.dumps(result.document(), allow_nan=False))
    assert len(parse_bench(document).checks) == len(result.checks)  # can be read back
    return result, {check.name: check for check in result.checks}


def test_a_sound_machine(smi: Smi, torch: Torch, tmp_path: Path) -> None:
    """An H100 with a fitting PyTorch passes every check that its machine has part in."""
    smi(H100, cuda="12.8")
    torch()
    result, checks = fit(tmp_path)
    for name in ("torch", "driver", "gpus", "gpu0.architecture", "gpu0.kernel"):
        assert checks[name].ok, checks[name]
    assert checks["gpu0.memory"].ok
    assert result.machine["torch"] == "2.8.0+cu126"
    assert result.machine["driver"] == "535.183.01"
    (gpu,) = result.machine["gpus"]
    assert gpu["name"] == "NVIDIA H100 80GB HBM3"
    assert gpu["memory_gb"] == pytest.approx(79.19, abs=0.01)
    assert (gpu["compute_capability"], gpu["ecc"], gpu["mig"]) == ("9.0", True, False)
    assert "bus" not in gpu
    lines = {line.name: line.value for line in result.lines}
    assert lines["gpu0.power.limit"] == 700.0


def test_an_old_pytorch_has_no_code_for_the_card(
    smi: Smi, torch: Torch, tmp_path: Path
) -> None:
    """A card that no code of the build runs on fails, whatever else is right."""
    smi({**H100, "name": "NVIDIA B200"})
    error = "CUDA error: no kernel image is available for execution on the device"
    torch(
        architectures=["sm_80", "sm_90"],
        gpus=[("NVIDIA B200", 2**37, (10, 0), 0x18)],
        errors={"cuda:0": error},
    )
    checks = fit(tmp_path)[1]
    assert checks["gpu0.architecture"].ok is False
    assert "sm_80 sm_90, none for compute capability 10.0" in str(
        checks["gpu0.architecture"].words
    )
    words = f"a small product fails: RuntimeError: {error}"
    assert checks["gpu0.kernel"] == ("gpu0.kernel", False, words)


@pytest.mark.parametrize(
    ("architectures", "capability", "runs"),
    [
        (["sm_80", "sm_86"], (8, 9), True),
        (["sm_86"], (8, 0), False),
        (["sm_90"], (10, 0), False),
        (["sm_90", "compute_90"], (12, 0), True),
        (["sm_90a"], (9, 0), True),
        (["sm_90a"], (10, 0), False),
        (["sm_100f"], (10, 3), True),
        (["compute_120"], (12, 0), True),
        (["sm_120"], (12, 0), True),
        (["gfx90a"], (9, 0), False),
        ([], (9, 0), False),
    ],
)
def test_architectures(
    architectures: list[str], capability: tuple[int, int], runs: bool
) -> None:
    """Code runs on its major number and up, PTX on later cards, 'a' on its own alone."""
    assert runs_on(architectures, capability) is runs


@pytest.mark.parametrize(
    ("wanted", "newest", "has_run", "ok"),
    [
        ("12.6", "12.2", True, True),  # minor version compatibility
        ("12.6", "11.4", False, False),
        ("13.0", "12.8", True, True),  # a compatibility package
        ("11.8", "12.8", True, True),
    ],
)
def test_driver(
    smi: Smi,
    torch: Torch,
    tmp_path: Path,
    wanted: str,
    newest: str,
    has_run: bool,
    ok: bool,
) -> None:
    """A driver runs its own major version of CUDA, unless a kernel proves more."""
    smi(H100, cuda=newest)
    torch(cuda=wanted, errors={} if has_run else {"cuda:0": "CUDA driver too old"})
    assert fit(tmp_path)[1]["driver"].ok is ok


def test_driver_without_pytorch(
    smi: Smi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The image's own CUDA is compared where there is no PyTorch."""
    smi(H100, cuda="11.4")
    monkeypatch.setenv("CUDA_VERSION", "12.4.1")
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setattr(sys, "path", [])
    result, checks = fit(tmp_path)
    assert checks["driver"].ok is False
    assert checks["torch"].ok is None
    (gpu,) = result.machine["gpus"]
    assert (gpu["memory_gb"], gpu["compute_capability"]) == (79.65, "9.0")


def test_a_crash_of_pytorch_is_told(smi: Smi, torch: Torch, tmp_path: Path) -> None:
    """A build that dies of an illegal instruction ends its own process, not the bench."""
    smi(H100)
    torch(dies="SIGILL")
    checks = fit(tmp_path)[1]
    assert checks["torch"].ok is False
    assert "ended by SIGILL" in checks["torch"].words


def test_a_build_for_cpus(smi: Smi, torch: Torch, tmp_path: Path) -> None:
    """A PyTorch without CUDA on a machine with GPUs is the image's mistake."""
    smi(H100)
    torch(version="2.8.0+cpu", cuda=None, architectures=[], gpus=[])
    checks = fit(tmp_path)[1]
    assert checks["torch"].ok is False
    assert "install a build for CUDA" in checks["torch"].words
    assert checks["gpus"].ok is None


def test_a_gpu_is_missing(smi: Smi, torch: Torch, tmp_path: Path) -> None:
    """PyTorch finds one of the two GPUs that the driver shows."""
    smi(RTX_4090, H100)
    torch()
    result, checks = fit(tmp_path)
    assert checks["gpus"].ok is False
    assert checks["gpus"].words == "PyTorch finds 1, the driver shows 2"
    # Its place on the bus tells which of them it is.
    assert {line.name: line.value for line in result.lines}["gpu0.power.limit"] == 700.0


def test_hidden_gpus_are_not_missing(
    smi: Smi, torch: Torch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who hides GPUs from PyTorch does not miss them."""
    smi(RTX_4090, H100)
    torch()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert fit(tmp_path)[1]["gpus"].ok


def test_the_driver_refuses(smi: Smi, torch: Torch, tmp_path: Path) -> None:
    """CUDA that does not start is told in its own words."""
    smi(H100)
    torch(init="CUDA unknown error - this may be due to an incorrectly set up machine")
    checks = fit(tmp_path)[1]
    assert checks["gpus"].ok is False
    assert "CUDA unknown error" in checks["gpus"].words


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("ecc.errors.uncorrected.volatile.total", "3"),
        ("retired_pages.pending", "Yes"),
        ("remapped_rows.failure", "Yes"),
    ],
)
def test_memory_with_errors(
    smi: Smi, torch: Torch, tmp_path: Path, field: str, value: str
) -> None:
    """Memory that has errors fails."""
    smi({**H100, field: value})
    torch()
    assert fit(tmp_path)[1]["gpu0.memory"].ok is False


def test_a_card_is_shared(smi: Smi, torch: Torch, tmp_path: Path) -> None:
    """A GPU that somebody else fills is not free; a part of a card says nothing."""
    smi({**H100, "memory.used": "40000"})
    torch()
    assert fit(tmp_path)[1]["gpu0.free"].ok is False
    smi({**H100, "memory.used": "40000", "mig.mode.current": "Enabled"})
    assert "gpu0.free" not in fit(tmp_path)[1]


LOG = """\
[    5.1] NVRM: loading NVIDIA UNIX x86_64 Kernel Module  535.183.01
[  812.4] NVRM: Xid (PCI:0000:18:00): 31, pid=4242, name=python, Ch 00000008
[  900.0] NVRM: Xid (PCI:0000:41:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen
[  901.0] NVRM: Xid (PCI:0000:41:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen
"""


def test_xids(tools: Path, smi: Smi, torch: Torch, tmp_path: Path) -> None:
    """Errors of the hardware fail their own GPU; a program's are told alone."""
    smi(H100, RTX_4090)
    gpus = [("H100", 2**36, (9, 0), 0x18), ("RTX 4090", 2**34, (8, 9), 0x41)]
    torch(gpus=gpus)
    (tmp_path / "log").write_text(LOG)
    command(tools, "dmesg", f"#!/bin/sh\nexec /bin/cat {tmp_path / 'log'}\n")
    result, checks = fit(tmp_path)
    lines = {line.name: line for line in result.lines}
    assert lines["gpu0.xid"].value == 1
    assert checks["gpu0.xid"].ok
    assert lines["gpu1.xid"].note == "Xid 79: 2"
    assert checks["gpu1.xid"].ok is False


@pytest.mark.parametrize(
    "script", [None, "echo 'dmesg: read kernel buffer failed'; exit 1"]
)
def test_a_log_that_cannot_be_read(
    tools: Path, smi: Smi, torch: Torch, tmp_path: Path, script: str | None
) -> None:
    """That no errors were seen is not said where none could be."""
    smi(H100)
    torch()
    if script is not None:
        command(tools, "dmesg", f"#!/bin/sh\n{script}\n")
    result, checks = fit(tmp_path)
    assert "gpu0.xid" not in checks
    assert [one.name for one in result.skipped] == ["gpu.xid"]


def test_nothing_at_all(
    tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither driver nor PyTorch: nothing fails, and what is missing is said."""
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setattr(sys, "path", [])
    result, checks = fit(tmp_path)
    assert [checks[name].ok for name in ("torch", "gpus", "driver")] == [None] * 3
    assert result.machine["gpus"] == []
