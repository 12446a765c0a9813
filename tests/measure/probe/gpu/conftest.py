"""Stand-ins for the hardware's answers, given from outside: commands and a PyTorch."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

BANNER = """\
Sat Nov 28 12:00:00 2026
+-----------------------------------------------------------------------------+
| NVIDIA-SMI 535.183.01   Driver Version: 535.183.01   CUDA Version: {cuda}     |
|-------------------------------+----------------------+----------------------+
"""

_SMI = """\
#!{python}
import json, sys
told = json.loads({told!r})
query = [one for one in sys.argv[1:] if one.startswith("--query-gpu=")]
if told["fails"]:
    print(told["fails"])
    sys.exit(9)
if not query:
    print(told["banner"])
    sys.exit(0)
fields = query[0].partition("=")[2].split(",")
for field in fields:
    if field in told["refused"]:
        print('Field "%s" is not a valid field to query.\\n' % field)
        sys.exit(2)
for card in told["cards"]:
    print(", ".join(card.get(field, "[N/A]") for field in fields))
"""

H100 = {
    "name": "NVIDIA H100 80GB HBM3",
    "driver_version": "535.183.01",
    "compute_cap": "9.0",
    "pci.bus_id": "00000000:18:00.0",
    "memory.total": "81559",
    "memory.used": "4",
    "mig.mode.current": "Disabled",
    "pcie.link.gen.current": "5",
    "pcie.link.gen.max": "5",
    "pcie.link.width.current": "16",
    "pcie.link.width.max": "16",
    "clocks.sm": "1755",
    "clocks.mem": "2619",
    "clocks.max.sm": "1980",
    "clocks.max.mem": "2619",
    "power.draw": "688.30",
    "power.limit": "700.00",
    "power.default_limit": "700.00",
    "temperature.gpu": "61",
    "ecc.mode.current": "Enabled",
    "ecc.errors.uncorrected.volatile.total": "0",
    "retired_pages.pending": "[N/A]",
    "remapped_rows.failure": "No",
    "clocks_throttle_reasons.active": "0x0000000000000004",
}

RTX_4090 = {
    **H100,
    "name": "NVIDIA GeForce RTX 4090",
    "compute_cap": "8.9",
    "pci.bus_id": "00000000:41:00.0",
    "memory.total": "24564",
    "memory.used": "1",
    "mig.mode.current": "[N/A]",
    "power.limit": "320.00",
    "power.default_limit": "450.00",
    "ecc.mode.current": "Disabled",
    "ecc.errors.uncorrected.volatile.total": "[N/A]",
    "remapped_rows.failure": "[N/A]",
}

Smi = Callable[..., None]


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of commands that is all of the PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.delenv("CUDA_VERSION", raising=False)
    return folder


def command(folder: Path, name: str, text: str) -> None:
    place = folder / name
    place.write_text(text)
    place.chmod(0o755)


@pytest.fixture
def smi(tools: Path) -> Smi:
    """Make nvidia-smi say what is given."""

    def make(
        *cards: Mapping[str, str],
        refused: Sequence[str] = (),
        fails: str = "",
        cuda: str = "12.2",
    ) -> None:
        told = json.dumps(
            {
                "cards": cards,
                "refused": refused,
                "fails": fails,
                "banner": BANNER.format(cuda=cuda),
            }
        )
        command(tools, "nvidia-smi", _SMI.format(python=sys.executable, told=told))

    return make


_TORCH = '''\
"""Answers as PyTorch would on a machine with such GPUs."""
import os, signal
told = {told!r}
__version__ = told["version"]
if told["dies"]:
    os.kill(os.getpid(), getattr(signal, told["dies"]))


class version:
    cuda, hip = told["cuda"], None


class Properties:
    def __init__(self, name, memory, capability, bus):
        self.name, self.total_memory = name, memory
        self.major, self.minor = capability
        self.multi_processor_count = 128
        self.pci_bus_id = bus
        self.pci_domain_id = 0


class cuda:
    @staticmethod
    def get_arch_list():
        return told["architectures"]

    @staticmethod
    def init():
        if told["init"]:
            raise RuntimeError(told["init"])

    @staticmethod
    def device_count():
        return len(told["gpus"])

    @staticmethod
    def get_device_properties(number):
        return Properties(*told["gpus"][number])


class Ones:
    def __init__(self, error):
        self.error = error

    def __matmul__(self, other):
        if self.error:
            raise RuntimeError(self.error)
        return self

    def sum(self):
        return self

    def item(self):
        return 64.0 ** 3


def ones(*shape, device):
    return Ones(told["errors"].get(device, ""))
'''


@pytest.fixture
def torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Put a PyTorch on the path that finds such GPUs."""

    def make(**told: Any) -> None:
        folder = tmp_path / "site" / "torch"
        folder.mkdir(parents=True)
        usual = {
            "version": "2.8.0+cu126",
            "cuda": "12.6",
            "architectures": ["sm_80", "sm_86", "sm_90", "compute_90"],
            "gpus": [("NVIDIA H100 80GB HBM3", 85_029_158_912, (9, 0), 0x18)],
            "errors": {},
            "init": "",
            "dies": "",
        }
        (folder / "__init__.py").write_text(_TORCH.format(told={**usual, **told}))
        monkeypatch.syspath_prepend(str(tmp_path / "site"))
        monkeypatch.delitem(sys.modules, "torch", raising=False)

    return make
