"""The trained model as the ranking uses it, and its file: a field for each section."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from advisor.base.arrays import FloatArray, IntArray, distinct
from advisor.base.assumption import Assumption, assumption
from advisor.base.errors import UsageError
from advisor.hardware.constants import Constant, read_constants
from advisor.hardware.core_speed import CpuConstants
from advisor.hardware.gpus import Gpu
from advisor.hardware.machines import Machines
from advisor.throughput.archive import Archive, read_file, write_file
from advisor.throughput.dlperf import Medians
from advisor.throughput.features import UNKNOWN, WorkloadKey
from advisor.throughput.gpu_model import GpuModel
from advisor.throughput.gpu_store import gpu_arrays, gpu_document, gpu_from
from advisor.throughput.kinds import GpuKinds, GpuMemo
from advisor.throughput.limit import HostConstants, Limit
from advisor.throughput.limits import LIMITS
from advisor.throughput.scaling import Scaling, efficiency, limit_bus, links_gb_s
from advisor.throughput.sections import Coverage, Provenance
from advisor.throughput.spread import Spread
from advisor.workloads.profile import Workload

ARTIFACT = "throughput.npz"
"""Name of the artifact's file in the folder of models."""

MODELED = "NVIDIA"
"""Maker whose cards the model is trained on; others run through other software."""

GUESSED_LOG_SD = 0.21
"""Added log-sd where the matrix rate is guessed from FP32: a card of one compute
capability may have twice the rate of another (GeForce and professional), which moves
the baseline by sqrt 2; taken as the half width of a 90 % interval (assumption)."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """What the all-reduce of gradients of N machines is like, shape (N,) each.

    Attributes
    ----------
    bus_gb_s : all-reduce bus bandwidth, GB/s
    ceiling : share of n times one GPU's rate that is left if it costs nothing
    spread : of the efficiency
    """

    bus_gb_s: FloatArray
    ceiling: FloatArray
    spread: Spread


@dataclass(frozen=True, slots=True)
class ThroughputModel:
    """Everything that was learned or assumed about throughput; one field per section.

    Attributes
    ----------
    gpu : rate of one GPU with nothing else limiting
    scaling : of several GPUs of one machine
    constants : name -> each constant of `host` and `cpu` with its unit and source, and
        those that training alone uses
    dlperf : median scores by GPU and number of GPUs, see `advisor.throughput.dlperf`
    coverage : what was measured
    provenance : how it was trained
    name : of the file, without its ending; empty before it is written
    sha256 : of the file; empty before it is written
    limits : what holds a training back
    host : constants of the other limits, of `constants`
    cpu : constants of core speeds and hardware threads, of `constants`
    """

    gpu: GpuModel
    scaling: Scaling
    constants: Mapping[str, Constant]
    dlperf: Medians
    coverage: Coverage
    provenance: Provenance
    name: str = ""
    sha256: str = ""
    limits: Sequence[Limit] = LIMITS
    host: HostConstants = field(init=False)
    cpu: CpuConstants = field(init=False)

    def __post_init__(self) -> None:
        """Read the constants once.

        Raises
        ------
        advisor.base.errors.AdvisorError
            if one is missing
        """
        entries = {name: one.to_dict() for name, one in self.constants.items()}
        object.__setattr__(self, "host", HostConstants.from_dict(entries))
        object.__setattr__(self, "cpu", read_constants(CpuConstants, entries))

    @property
    def identity(self) -> dict[str, Any]:
        """Name, hash and training facts, for the output."""
        facts = self.provenance.to_dict()
        return {"name": self.name, "sha256": self.sha256, **facts, "interval": 0.9}

    def gpu_rate(
        self,
        kinds: GpuKinds,
        workload: Workload,
        micro_batch: IntArray,
        memo: GpuMemo | None = None,
    ) -> tuple[FloatArray, FloatArray]:
        """Return samples/s of one GPU and the log-sd of it, shape (N,) each.

        The rate is NaN where neither table nor market knows what a GPU can do; the
        spread is wider where its matrix rate was guessed, and wide where the model
        has learned from no card of its maker.

        Parameters
        ----------
        kinds : GPUs of N machines
        workload : the profile
        micro_batch : samples that each holds at once, shape (N,)
        memo : what was said before, and where this is noted; None: nothing
        """
        key = WorkloadKey.of(workload)
        if key.name and not self.gpu.measured(key.name):
            raise UsageError(_no_benchmark(key.name, self.coverage.workload_rows))
        most = int(np.max(micro_batch, initial=0)) + 1
        pairs, place = np.unique(kinds.code * most + micro_batch, return_inverse=True)
        kind, batch = np.divmod(pairs, most)
        names = kinds.features.gpu[kind].tolist()
        asked = list(zip(names, batch.tolist(), strict=True))
        known = {} if memo is None else memo.rates
        new = [at for at, one in enumerate(asked) if one not in known]
        found = np.array([known.get(one, (np.nan, np.nan)) for one in asked])
        found = found.reshape(-1, 2)
        of_table = [at for at in new if names[at] != UNKNOWN]
        in_none = [at for at in new if names[at] == UNKNOWN]
        for some in filter(None, (of_table, in_none)):
            found[some] = self._rates_of(kinds, kind[some], key, batch[some])
        known.update((asked[at], (found[at, 0], found[at, 1])) for at in of_table)
        return np.exp(found[place, 0]), found[place, 1]

    def _rates_of(
        self, kinds: GpuKinds, kind: IntArray, key: WorkloadKey, batch: IntArray
    ) -> FloatArray:
        """Return ln samples/s and its log-sd of P kinds with a batch each, (P, 2)."""
        features = kinds.features.take(kind)
        # Without a usual batch nothing says what the intercept's batch was: no effect.
        ratio = np.nan_to_num(np.log(batch / self.gpu.usual_batch_of(key)), nan=0.0)
        log_rate, log_sd = self.gpu.predict(features, key, ratio)
        known = np.isfinite(features.tensor_tflops * features.memory_bandwidth_gb_s)
        added = [self._added_log_sd(kinds.gpus[at]) for at in kind.tolist()]
        return np.column_stack(
            [np.where(known, log_rate, np.nan), np.hypot(log_sd, added)]
        )

    def _added_log_sd(self, gpu: Gpu | None) -> float:
        """Return what is added to the spread of a GPU that the model never saw."""
        if gpu is None:
            return GUESSED_LOG_SD
        return 0.0 if gpu.vendor == MODELED else self.gpu.unknown_log_sd

    def peak_rate(
        self, kinds: GpuKinds, workload: Workload, num_gpus: FloatArray
    ) -> FloatArray:
        """Return samples/s if all tensor cores of all GPUs were busy all the time.

        Infinite without tensor cores, see `GpuModel.best_utilization`.
        """
        of = kinds.features
        rate = np.where(of.on_tensor_cores, of.tensor_tflops * 1e3, np.inf)[kinds.code]
        peak: FloatArray = num_gpus * rate / workload.training_gflops_per_sample
        return peak

    def exchange(
        self,
        machines: Machines,
        kinds: GpuKinds,
        workload: Workload,
        step_s: FloatArray,
        reduced_gb: FloatArray,
    ) -> Exchange:
        """Return what the all-reduce of gradients is like on each machine.

        Parameters
        ----------
        machines : N machines
        kinds : their GPUs
        step_s : time of an optimizer step on the GPUs alone, shape (N,)
        reduced_gb : 10^9 bytes that one all-reduces, shape (N,)
        """
        number = machines.num_gpus
        classes, link_code = distinct(machines.interconnect.tolist())
        count = len(kinds.gpus)
        pairs, place = np.unique(link_code * count + kinds.code, return_inverse=True)
        link, kind = np.divmod(pairs, count)
        interconnect = np.array(classes, dtype=np.str_)[link]
        gpus = [kinds.gpus[at] for at in kind.tolist()]
        built = ["" if gpu is None else gpu.architecture for gpu in gpus]
        any_host = np.full(len(pairs), np.inf)  # that of each machine comes below
        most = links_gb_s(interconnect, np.array(built, dtype=np.str_), any_host)[place]
        on_board = (interconnect == "sxm")[place]
        host = np.minimum(machines.host_to_gpu_gb_s, most)
        link_gb_s = np.where(on_board, most, host)
        scaling = self.scaling.of(
            interconnect, kinds.features.gpu[kind], workload.reference.benchmark
        )
        scaling = scaling.take(place)
        ceiling = scaling.ceiling(number)
        bus = scaling.bus_gb_s(number, link_gb_s)
        if workload.sharding != "fsdp":  # what is sharded may not fit one GPU
            bus = limit_bus(number, reduced_gb, step_s, bus, ceiling)
        share = efficiency(number, reduced_gb, step_s, bus, ceiling)
        return Exchange(bus, ceiling, scaling.log_sd(number, share))

    def evidence(self, workload: Workload) -> dict[str, Any]:
        """Return the evidence behind the intercept of a workload, for the output."""
        key = WorkloadKey.of(workload)
        return {
            "level": self.gpu.intercept_evidence(key),
            "series": list(self.coverage.workload_series.get(key.name, ())),
            "workload_measurements": self.coverage.workload_rows.get(key.name, 0),
        }

    @property
    def assumptions(self) -> dict[str, Assumption]:
        """Name -> each constant that predictions use, with its 90 % interval."""
        kinds = (HostConstants, CpuConstants)
        used = {one.name for kind in kinds for one in fields(kind)}
        return {
            name: assumption(one.value, one.unit, one.source, one.likely)
            for name, one in self.constants.items()
            if name in used
        }


def _no_benchmark(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, known, 3)
    hint = f"did you mean {', '.join(close)}?" if close else "leave it empty"
    return f"the benchmark table has no workload {name!r} (reference.benchmark): {hint}"


def load_model(folder: Path) -> ThroughputModel:
    """Load the artifact of a folder of models; one that has not changed, only once.

    Raises
    ------
    advisor.base.errors.UsageError
        if there is none, or none of this version
    """
    path = folder / ARTIFACT
    with suppress(OSError):  # `read_model` says what is wrong
        found = path.stat()
        return _loaded(path, (found.st_ino, found.st_size, found.st_mtime_ns))
    return read_model(path)


@lru_cache(maxsize=2)  # the shipped one, and one of the user's
def _loaded(path: Path, _state: tuple[int, ...]) -> ThroughputModel:
    return read_model(path)


def read_model(path: Path) -> ThroughputModel:
    """Read a model from its file.

    Raises
    ------
    advisor.base.errors.UsageError
        if the file cannot be read, or is no model of this version
    """

    def parse(archive: Archive, data: bytes) -> ThroughputModel:
        document = archive.document
        constants = document("constants")
        return ThroughputModel(
            gpu=gpu_from(archive),
            scaling=Scaling.from_dict(document("scaling")),
            constants={name: Constant(**entry) for name, entry in constants.items()},
            dlperf=document("dlperf"),
            coverage=Coverage(**document("coverage")),
            provenance=Provenance.from_dict(document("provenance")),
            name=path.stem,
            sha256=hashlib.sha256(data).hexdigest(),
        )

    return read_file(path, parse)


def save_model(model: ThroughputModel, path: Path) -> None:
    """Write a model to a file, whole or not at all; the same model, the same bytes."""
    documents = {
        "gpu": gpu_document(model.gpu),
        "scaling": model.scaling.to_dict(),
        "constants": {name: one.to_dict() for name, one in model.constants.items()},
        "dlperf": model.dlperf,
        "coverage": asdict(model.coverage),
        "provenance": model.provenance.to_dict(),
    }
    arrays = {f"gpu/{name}": one for name, one in gpu_arrays(model.gpu).items()}
    write_file(path, documents, arrays)
