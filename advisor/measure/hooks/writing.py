"""The document of a process, written while it runs and when it ends."""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import platform
import sys
import time
from multiprocessing import util
from pathlib import Path
from typing import Any

from . import gpu
from .counters import peak_bytes
from .observation import Device, Distributed, Ended, Observation, Process
from .remarks import remarks, unpatched
from .session import Session

_EVERY_S = 5.0
_LIBRARIES = (
    *("accelerate", "apex", "bitsandbytes", "datasets", "deepspeed", "diffusers"),
    *("fastai", "flash_attn", "lightning", "peft", "pytorch_lightning", "timm"),
    *("torchvision", "transformers", "trl", "ultralytics", "webdataset", "xformers"),
)
"""Libraries whose use tells how a training is made."""


class Writing:
    """Writes what a session has seen, every few seconds at most.

    Parameters
    ----------
    session : which
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._last = -math.inf
        self._had: tuple[int, bool] = (0, False)
        self._began, self._ended = os.getpid(), 0
        self._finalized: int | None = None
        self._write = session.notes.quietly("The document")(self._replace)

    def now_and_then(self) -> None:
        """Write it if it has been a while, or something new has been counted."""
        self._be_called_at_the_end()
        record = self._session.record
        has = (record.counted.steps, record.stopped_after is not None)
        if time.monotonic() - self._last < _EVERY_S and has == self._had:
            return
        self._had = has
        self._write(Ended(stopped_after=record.stopped_after))

    def _be_called_at_the_end(self) -> None:
        """Have a child of `multiprocessing` call us: it ends without `atexit`."""
        if self._finalized != os.getpid() and multiprocessing.parent_process():
            self._finalized = os.getpid()
            util.Finalize(None, self.at_the_end, exitpriority=-1)

    def at_the_end(self) -> None:
        """Write it once the process ends, with how.

        A child that was forked inherits this call: it has something to say only if it
        made steps itself.
        """
        session = self._session
        if self._ended == os.getpid():
            return
        is_forked = os.getpid() != self._began
        if session.loaders.is_worker or (is_forked and not session.record.steps):
            return
        self._ended = os.getpid()
        session.notes.quietly("The end of counting")(session.counter.stop)()
        reason, error = session.record.stopped_after, _error()
        how = "failed" if error is not None else "finished"
        self._write(Ended("stopped" if reason else how, reason, error))

    def _replace(self, ended: Ended) -> None:
        """Put the document in the place of the one before."""
        self._last = time.monotonic()
        folder = Path(self._session.settings.folder)
        text = json.dumps(_finite(observed(self._session, ended).document()))
        part = folder / f".observation-{os.getpid()}.part"
        part.write_text(text, encoding="utf-8")
        part.replace(folder / f"observation-{os.getpid()}.json")


def observed(session: Session, ended: Ended) -> Observation:
    """Return all that a session has seen."""
    torch, record = session.torch, session.record
    is_gpu = session.gpu.is_used
    session.describe_optimizers()
    training = session.loaders.training()
    folder = session.settings.folder
    observation = Observation(
        process=_process(torch, session.started),
        ended=ended,
        steps=record.steps_seen(),
        loop=record.loop(is_gpu=is_gpu),
        loaders=[
            one.described(folder, is_training=one is training)
            for one in session.loaders.every
            if one.batches
        ],
        models=session.nets.models,
        optimizers=session.optimizers,
        precision=record.precision(),
        counted=record.counted,
        attention=record.attention,
        compiled=record.compiled,
        distributed=_distributed(session),
        device=_device(session, is_gpu=is_gpu),
        libraries=_libraries(),
    )
    observation.counted.unpatched = unpatched()
    said = remarks(observation, is_threaded=record.is_threaded)
    observation.notes = [*session.notes.sentences, *said]
    precision, compiled = observation.precision, observation.compiled
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    precision.matmul_tf32 = _tried(lambda: bool(matmul.allow_tf32))
    precision.cudnn_tf32 = _tried(lambda: bool(cudnn.allow_tf32))
    precision.matmul_precision = _tried(torch.get_float32_matmul_precision)
    if compiled.calls:
        compiled.frames, compiled.graph_breaks = gpu.dynamo_counts()
    return observation


def _process(torch: Any, started: float) -> Process:
    affinity = getattr(os, "sched_getaffinity", None)
    return Process(
        pid=os.getpid(),
        parent_pid=os.getppid(),
        python=platform.python_version(),
        torch=str(torch.__version__),
        threads=_tried(torch.get_num_threads),
        cores=len(affinity(0)) if affinity is not None else os.cpu_count(),
        seconds=time.perf_counter() - started,
        cpu_seconds=time.process_time(),
    )


def _device(session: Session, *, is_gpu: bool) -> Device:
    torch, record = session.torch, session.record
    folder = session.settings.folder
    workers = [one.peak_of(folder) for one in session.loaders.every]
    host = peak_bytes()
    device = Device(
        kind=record.device,
        cuda_available=is_gpu,
        cuda_asked=record.cuda_asked,
        redirected=record.redirected,
        peak_host_bytes=int(host) if host >= 0.0 else None,
        peak_workers_bytes=int(max(workers, default=0.0)) or None,
    )
    if is_gpu:
        device.gpus = gpu.gpu_names(torch)
        device.peak_allocated_bytes, device.peak_reserved_bytes = gpu.peaks(torch)
    return device


def _distributed(session: Session) -> Distributed:
    """Return how processes train together."""
    torch = session.torch
    rank, world = session.gpu.rank_and_world()
    record = session.record
    found = Distributed(rank=rank, local_rank=gpu.local_rank(), world_size=world)
    found.wrapper, found.sharding = session.nets.wrapper, session.nets.sharding
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        found.backend = str(torch.distributed.get_backend())
    if any("ZeroRedundancyOptimizer" in one.name for one in session.optimizers):
        found.sharding = "zero1"
    if record.device == "cuda":
        found.gpus = session.nets.gpus
    return found


def _libraries() -> dict[str, str]:
    """Return the trainers' libraries that were imported, with their versions."""
    found = {name: sys.modules[name] for name in _LIBRARIES if name in sys.modules}
    return {
        name: str(getattr(module, "__version__", "")) for name, module in found.items()
    }


def _error() -> str | None:
    """Return the class of the exception that ends the process; None: there is none.

    Python keeps one that nothing caught until it is gone; in a child of `multiprocessing`
    it is on its way while the child ends.
    """
    kind = sys.exc_info()[0] or getattr(sys, "last_type", None)
    if kind is None or issubclass(kind, SystemExit):
        return None
    return str(kind.__name__)


def _tried(get: Any) -> Any:
    """Return what a call gives; None where it fails."""
    try:
        return get()
    except Exception:  # settings of a PyTorch of any age
        return None


def _finite(value: Any) -> Any:
    """Return plain data with None for numbers that JSON does not have."""
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_finite(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
