"""Step 0: whether a training can run here at all, in seconds.

The checks ``torch``, ``driver`` and ``gpu<i>.architecture`` speak of the image as much as
of the machine: another image may run on the same one. ``gpu<i>.kernel``, ``gpus`` and
``gpu<i>.memory`` speak of the machine, ``host.memory``, ``host.shm`` and ``host.disk`` of
what was rented of it.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import time
from typing import TYPE_CHECKING, Any

from advisor.measure.probe.files import ROOT, text_of
from advisor.measure.probe.gpu.apart import one_line, run_apart
from advisor.measure.probe.gpu.cards import (
    card_checks,
    card_lines,
    described_gpus,
    numbered,
    place_of,
    seen_gpu,
)
from advisor.measure.probe.gpu.smi import ask_cards, newest_cuda
from advisor.measure.probe.gpu.xid import read_xids, xid_lines
from advisor.measure.probe.lines import Check, Skipped

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from advisor.measure.probe.gpu.apart import Send
    from advisor.measure.probe.gpu.smi import Card, Cards
    from advisor.measure.probe.lines import Result

_LOADS_WITHIN_S = 240.0
"""To load PyTorch from a cold, slow disk takes minutes."""

_LEAST_MEMORY_GB = 4.0
"""Host memory that a process of PyTorch with CUDA needs with a few DataLoader workers:
some 3 GB with its libraries loaded (assumption)."""

_LEAST_SHM_GB = 0.5
"""Docker gives a container 64 MB, in which one batch of 128 pictures (77 MB) of a worker
of a DataLoader does not fit; a few workers, two batches each, need this."""

_LEAST_DISK_GB = 2.0
"""Checkpoints of the smallest nets and the caches of a compiler (assumption)."""

_AVAILABLE = re.compile(r"^MemAvailable:\s*(\d+) kB", re.MULTILINE)
_ARCHITECTURE = re.compile(r"(sm|compute)_(\d+)(\d)([af]?)")
_VERSION = re.compile(r"(\d+)\.(\d+)")


class Seen:
    """What PyTorch sees of the GPUs.

    Attributes
    ----------
    of_torch : its version, the CUDA and the architectures that it is built for
    gpus : what each is, by number
    kernels : how the kernel on each ended, empty if it went well
    failed : why there is no more, empty if there is all
    """

    def __init__(self) -> None:
        self.of_torch: dict[str, Any] = {}
        self.gpus: dict[int, dict[str, Any]] = {}
        self.kernels: dict[int, str] = {}
        self.failed = ""

    def take(self, message: tuple[str, int, Any]) -> None:
        """Take one message of `_look`."""
        what, number, value = message
        if what == "torch":
            self.of_torch = value
        elif what == "gpu":
            self.gpus[number] = value
        else:
            self.kernels[number] = value


def check_fit(result: Result, folder: str = ".") -> None:
    """Check whether PyTorch can train here; say what to do where it cannot.

    Checks go to ``result.checks``, what the GPUs are to ``result.machine``.

    Parameters
    ----------
    result : of this bench
    folder : where a training would write
    """
    granted = result.machine.get("memory_gb")
    result.checks += [_memory(granted), _shared_memory(), _disk(folder)]
    told = ask_cards()
    seen = Seen()
    if importlib.util.find_spec("torch") is None:
        seen.failed = "PyTorch is not installed"
    else:
        deadline = time.monotonic() + _LOADS_WITHIN_S
        seen.failed = run_apart(_look, (), deadline, seen.take)
    result.checks.append(_torch(seen, bool(told.cards)))
    result.checks += _gpus(seen, told)
    result.checks.append(_driver(seen, told))
    cards = numbered(seen.gpus, told.cards)
    for number, card in sorted(cards.items()):
        result.lines += card_lines(f"gpu{number}", card)
        result.checks += card_checks(f"gpu{number}", card)
    if cards:
        _errors(result, cards)
    result.machine["torch"] = seen.of_torch.get("version")
    result.machine["driver"] = next(
        (card.fields.get("driver_version") for card in told.cards), None
    )
    result.machine["gpus"] = described_gpus(seen.gpus, cards)


def runs_on(architectures: Sequence[str], capability: tuple[int, int]) -> bool:
    """Return whether a build with code for these architectures runs on such a card.

    Compiled code (``sm_86``) runs on cards of the same major number and the same or a
    higher minor one, PTX (``compute_90``) on every later card, and what is specific to an
    architecture (``sm_90a``) on that one alone (NVIDIA, "CUDA C++ Programming Guide",
    binary and PTX compatibility).
    """
    for name in architectures:
        found = _ARCHITECTURE.fullmatch(name)
        if found is None:
            continue
        built = (int(found[2]), int(found[3]))
        if found[4] == "a":
            fits = built == capability
        elif found[1] == "sm" or found[4]:
            fits = built[0] == capability[0] and built[1] <= capability[1]
        else:
            fits = built <= capability
        if fits:
            return True
    return False


def _look(send: Send) -> None:
    """Send what PyTorch sees, and how one kernel on each GPU ends."""
    import torch  # noqa: PLC0415

    described = {
        "version": str(torch.__version__),
        "cuda": torch.version.cuda,
        "hip": getattr(torch.version, "hip", None),
        "architectures": torch.cuda.get_arch_list(),
    }
    send(("torch", 0, described))
    if not (described["cuda"] or described["hip"]):
        return
    torch.cuda.init()  # says why there is none
    for number in range(torch.cuda.device_count()):
        send(("gpu", number, seen_gpu(torch, number)))
        try:
            ones = torch.ones(64, 64, device=f"cuda:{number}")
            total = (ones @ ones).sum().item()
        except RuntimeError as error:
            send(("kernel", number, one_line(error)))
        else:
            right = total == 64.0**3
            send(("kernel", number, "" if right else f"a product sums up to {total}"))


def _torch(seen: Seen, has_cards: bool) -> Check:
    """Return whether there is a PyTorch for the GPUs."""
    built = seen.of_torch
    if not built:
        words = f"{seen.failed}: choose an image with it, or install it"
        return Check("torch", None if seen.failed.endswith("installed") else False, words)
    kind = f"CUDA {built['cuda']}" if built["cuda"] else "CPUs alone"
    kind = "ROCm" if built["hip"] else kind
    words = f"PyTorch {built['version']}, built for {kind}"
    if has_cards and not (built["cuda"] or built["hip"]):
        return Check("torch", False, f"{words}: install a build for CUDA")
    return Check("torch", True, words)


def _gpus(seen: Seen, told: Cards) -> list[Check]:
    """Return checks of how many GPUs there are, and of what PyTorch does on each."""
    checks = []
    shown, found = len(told.cards), len(seen.gpus)
    built = bool(seen.of_torch.get("cuda") or seen.of_torch.get("hip"))
    if not shown and not found:
        words = f"no GPU is found ({told.words or seen.failed})"
        checks.append(Check("gpus", None, words))
    elif not built:
        words = f"the driver shows {shown}; PyTorch was not asked"
        checks.append(Check("gpus", None, words))
    else:
        hides = "CUDA_VISIBLE_DEVICES" in os.environ
        hides = hides or any(card.on("mig.mode.current") for card in told.cards)
        words = f"PyTorch finds {found}, the driver shows {shown or 'none'}"
        if seen.failed:
            words += f" ({seen.failed}): reset the GPU, or take another machine"
        fits = found >= (1 if hides else max(shown, 1)) and not seen.failed
        checks.append(Check("gpus", fits, words))
    for number, gpu in sorted(seen.gpus.items()):
        if seen.of_torch["cuda"]:
            checks.append(_architecture(seen, number, gpu["compute_capability"]))
        checks.append(_kernel(seen, number))
    return checks


def _architecture(seen: Seen, number: int, capability: str) -> Check:
    name = f"gpu{number}.architecture"
    built = " ".join(seen.of_torch["architectures"])
    major, minor = map(int, capability.split("."))
    if runs_on(seen.of_torch["architectures"], (major, minor)):
        return Check(name, True, f"compute capability {capability}, built for {built}")
    words = (
        f"PyTorch has code for {built}, none for compute capability {capability}: "
        "use an image whose PyTorch has"
    )
    return Check(name, False, words)


def _kernel(seen: Seen, number: int) -> Check:
    name = f"gpu{number}.kernel"
    words = seen.kernels.get(number)
    if words is None:
        return Check(name, False, f"a small product does not end: {seen.failed}")
    if words:
        return Check(name, False, f"a small product fails: {words}")
    return Check(name, True, "a small product is right")


def _driver(seen: Seen, told: Cards) -> Check:
    """Return whether the driver runs the CUDA of PyTorch, or else of the image.

    A driver runs every release of its own major version and of earlier ones (NVIDIA,
    "CUDA Compatibility", minor version compatibility). What has run has the last word: a
    compatibility package in the image makes an older driver do, too.
    """
    if not told.cards:
        return Check("driver", None, f"no driver for NVIDIA GPUs is found: {told.words}")
    newest = newest_cuda()
    wanted = seen.of_torch.get("cuda") or os.environ.get("CUDA_VERSION") or ""
    found = _VERSION.match(wanted)
    words = f"driver {told.cards[0].fields.get('driver_version', 'unknown')}"
    if newest is not None:
        words += f", runs CUDA up to {newest[0]}.{newest[1]}"
    if newest is None or found is None:
        return Check("driver", None, words)
    needs = (int(found[1]), int(found[2]))
    words += f"; the image has CUDA {needs[0]}.{needs[1]}"
    if needs[0] > newest[0] and "" not in seen.kernels.values():
        words += (
            f": rent a machine whose driver runs CUDA {needs[0]}.{needs[1]} "
            f"(--filter cuda_max_good>={needs[0]}.{needs[1]}), or use an older image"
        )
        return Check("driver", False, words)
    if needs > newest:
        words += ", which it runs by minor version compatibility"
    return Check("driver", True, words)


def _errors(result: Result, cards: Mapping[int, Card]) -> None:
    """Add the errors of each GPU that the kernel's log has."""
    found = read_xids()
    if found is None:
        why = "the kernel's log cannot be read here, as in most containers"
        result.skipped.append(Skipped("gpu.xid", why))
        return
    for number, card in sorted(cards.items()):
        place = place_of(card)
        if place is not None:
            line, check = xid_lines(f"gpu{number}", found.get(place, {}))
            result.lines.append(line)
            result.checks.append(check)


def _memory(granted_gb: float | None) -> Check:
    """Return whether the host has memory for a training.

    Parameters
    ----------
    granted_gb : what the container may take, None where that is not known
    """
    found = _AVAILABLE.search(text_of(ROOT, "proc/meminfo"))
    if found is None:
        return Check("host.memory", None, "the host does not say how much memory is free")
    free_gb = int(found[1]) * 1024 / 1e9
    words = f"{free_gb:.1f} GB free"
    if granted_gb is not None:
        words += f", {granted_gb:.1f} GB granted"
        free_gb = min(free_gb, granted_gb)
    if free_gb < _LEAST_MEMORY_GB:
        words += (
            f": PyTorch with a few workers needs {_LEAST_MEMORY_GB:.0f}; end what fills "
            "it, or take a machine with more"
        )
        return Check("host.memory", False, words)
    return Check("host.memory", True, words)


def _shared_memory() -> Check:
    """Return whether DataLoader workers can hand their batches on."""
    try:
        size = os.statvfs("/dev/shm")  # noqa: S108  (where PyTorch's workers write)
    except OSError:
        words = "there is no /dev/shm: a DataLoader can have no workers here"
        return Check("host.shm", False, words)
    gb = size.f_blocks * size.f_frsize / 1e9
    if gb < _LEAST_SHM_GB:
        words = (
            f"{gb:.2f} GB: batches of DataLoader workers do not fit; start the container "
            "with --ipc=host or --shm-size=8g, or the loader with num_workers=0"
        )
        return Check("host.shm", False, words)
    return Check("host.shm", True, f"{gb:.1f} GB")


def _disk(folder: str) -> Check:
    """Return whether the disk has room for checkpoints."""
    free = shutil.disk_usage(folder).free / 1e9
    if free < _LEAST_DISK_GB:
        words = f"{free:.1f} GB free: delete something, or rent more disk"
        return Check("host.disk", False, words)
    return Check("host.disk", True, f"{free:.1f} GB free")
