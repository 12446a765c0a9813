"""The tables of published CPU rates; ``tools/compile_cpu_rates.py`` writes them.

What ratios hold within differs: rates of decoding within one library and protocol,
throughput against cores within one model, real against synthetic data within one row.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from advisor.base.arrays import FloatArray, StrArray
from advisor.training.fit.tables import Columns, read_table


@dataclass(frozen=True, slots=True)
class DecodeRates(Columns):
    """Rates of JPEG decoding on one core.

    Attributes
    ----------
    cpu : name in the CPU table
    library, version : what decodes; a version that the source leaves out is empty
    protocol : the measurement's, rates of two protocols differ
    unit : ``"images/s"`` or ``"Mpixel/s"``
    rate : in that unit
    doubt : why a row neither trains nor counts, empty where it does
    source : repository and path of the figure
    """

    cpu: StrArray
    library: StrArray
    version: StrArray
    protocol: StrArray
    unit: StrArray
    rate: FloatArray
    doubt: StrArray
    source: StrArray


@dataclass(frozen=True, slots=True)
class WorkerIpcRates(Columns):
    """Decoded images that one process takes over from its loader's workers.

    Attributes
    ----------
    cpu, library : as in `DecodeRates`
    workers : processes that decode
    images_per_s : that arrive, whole RGB images of about 500 x 400 pixels
    source : repository and path of the figure
    """

    cpu: StrArray
    library: StrArray
    workers: FloatArray
    images_per_s: FloatArray
    source: StrArray


@dataclass(frozen=True, slots=True)
class ScalingCurves(Columns):
    """Training throughput of one GPU against the cores that it is given.

    Attributes
    ----------
    model : the net
    pipeline : what feeds it; nets of one pipeline share the time for a sample
    cores : of the GPU
    batch_size : samples per step
    samples_per_s : rounded to two digits of the rate at three cores
    source : repository and path of the profile
    """

    model: StrArray
    pipeline: StrArray
    cores: FloatArray
    batch_size: FloatArray
    samples_per_s: FloatArray
    source: StrArray


@dataclass(frozen=True, slots=True)
class RealSynthetic(Columns):
    """Trainings that were run with real and with synthetic data.

    Attributes
    ----------
    host : the machine
    cpu : name in the CPU table, empty where the logs do not tell it
    cores : of the machine, NaN where unknown
    net, precision, gpu, num_gpus, batch_size : of the training; samples per GPU
    bytes_per_sample : of the tensor that the GPU is fed with
    real, synthetic : samples/s of all GPUs together
    source : repository and path of the logs
    """

    host: StrArray
    cpu: StrArray
    cores: FloatArray
    net: StrArray
    precision: StrArray
    gpu: StrArray
    num_gpus: FloatArray
    batch_size: FloatArray
    bytes_per_sample: FloatArray
    real: FloatArray
    synthetic: FloatArray
    source: StrArray


@dataclass(frozen=True, slots=True)
class CpuTables:
    """All tables of published CPU rates."""

    decode: DecodeRates
    worker_ipc: WorkerIpcRates
    scaling: ScalingCurves
    pairs: RealSynthetic


def load_cpu_tables(folder: Path) -> CpuTables:
    """Read the tables of a folder of models.

    Raises
    ------
    advisor.base.errors.UsageError
        if one is missing or is not such a table
    """
    what = "table of CPU rates"
    return CpuTables(
        decode=read_table(folder / "cpu_decode.csv", DecodeRates, what),
        worker_ipc=read_table(folder / "cpu_handoff.csv", WorkerIpcRates, what),
        scaling=read_table(folder / "cpu_scaling.csv", ScalingCurves, what),
        pairs=read_table(folder / "real_synthetic.csv", RealSynthetic, what),
    )
