"""A workload profile: what a sample, a step and an epoch of a training need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, get_args

Precision = Literal["fp32", "tf32", "amp", "bf16", "fp16"]
"""Arithmetic of the matrix products.

``fp32`` is true single precision (TF32 switched off), ``tf32`` single precision
on tensor cores, ``amp`` mixed precision with FP16 autocast and a loss scaler,
``bf16`` mixed precision with BF16 autocast, ``fp16`` a model held in half
precision throughout.
"""

PRECISIONS: tuple[Precision, ...] = get_args(Precision)

Optimizer = Literal["stated", "sgd", "momentum", "adam", "adam-8bit"]
"""What the optimizer keeps for each trained parameter; ``stated``: what
`Workload.state_bytes_per_trainable` says."""

OPTIMIZERS: tuple[Optimizer, ...] = get_args(Optimizer)

Sharding = Literal["none", "zero1", "zero2", "fsdp"]
"""What GPUs share among them instead of each holding all of it.

``zero1`` the optimizer's state, ``zero2`` gradients too, ``fsdp`` weights too (ZeRO
stages 1 to 3; Rajbhandari et al., SC 2020).
"""

SHARDINGS: tuple[Sharding, ...] = get_args(Sharding)

Loading = Literal["whole", "mapped"]
"""How the weights come to the GPU: ``whole`` through the host's memory, all at once;
``mapped`` from a file that is mapped, a shard at a time (safetensors)."""

LOADINGS: tuple[Loading, ...] = get_args(Loading)

CHOICES: Mapping[str, tuple[str, ...]] = {
    "Loading": LOADINGS,
    "Precision": PRECISIONS,
    "Optimizer": OPTIMIZERS,
    "Sharding": SHARDINGS,
}
"""Name of a type of a field -> the texts that it may have."""


@dataclass(frozen=True, slots=True)
class Reference:
    """The configuration in which the profile's benchmark was run.

    Attributes
    ----------
    framework : such as ``"PyTorch 2"``
    era : years that the framework version stands for, such as ``"2023-2025"``
    memory_format : ``"channels-last"``, ``"contiguous"`` or ``"n/a"``
    input_pipeline : what feeds the GPU, such as ``"PyTorch DataLoader, Pillow"``
    benchmark : name of the workload in the benchmark table whose measurements
        set the intercept; empty where the table has none
    benchmark_units_per_sample : units of that table (such as tokens) in one
        sample of the profile
    """

    framework: str
    era: str
    memory_format: str
    input_pipeline: str
    benchmark: str = ""
    benchmark_units_per_sample: float = 1.0


@dataclass(frozen=True, slots=True)
class Workload:
    """One training, described by what it needs of a machine.

    A sample is what the data set counts: an image, a sequence. All per-sample
    and per-step figures are of one GPU with its own micro-batch.

    Attributes
    ----------
    name : name that the command line takes
    description : one line for people
    task : such as ``"image classification"``
    sample : what one sample is, such as ``"image 224x224"``
    samples_per_epoch : samples
    epochs : epochs of a usual job
    batch_size : samples per GPU and optimizer step
    precision : see `Precision`
    forward_gflops_per_sample : 10^9 FLOPs of a forward pass (2 x MACs)
    training_flops_factor : FLOPs of a whole training step over those of its
        forward pass (3 for a dense net whose weights are all trained)
    parameters_m : 10^6 parameters held on the GPU
    trainable_parameters_m : 10^6 parameters that get a gradient
    weight_bytes_per_parameter : bytes that hold one parameter that is not
        trained (trained ones are counted by `state_bytes_per_trainable`)
    state_bytes_per_trainable : bytes per trained parameter: weight copies,
        gradient, optimizer state
    activation_mb_per_sample : 10^6 bytes stored from forward to backward
    framework_memory_gb : 10^9 bytes of context, libraries and work space
    kernels_per_step : GPU kernels that one step launches (any batch size)
    disk_bytes_per_sample : bytes read from disk for one sample
    gpu_bytes_per_sample : bytes copied from host to GPU for one sample
    cpu_ms_per_sample : milliseconds of one reference core (single-thread
        PassMark score 2100) that the input pipeline spends on one sample
    cpu_ms_log_sd : standard deviation of the natural logarithm of the above
    dataset_gb : 10^9 bytes of the data set as it is downloaded and stored
    image_gb : 10^9 bytes of the container image, unpacked
    checkpoint_gb : 10^9 bytes of one checkpoint
    reference : configuration in which its benchmark was run
    sources : name of a figure -> where it comes from
    optimizer : see `Optimizer`
    gradient_checkpointing : activations are computed again in the backward pass
    sharding : see `Sharding`
    loading : see `Loading`
    host_ram_gb : 10^9 bytes of host memory that the job needs; 0: by formula, see
        `advisor.workloads.host_memory`
    image : Docker image that it runs in; ``""``: chosen by card and driver
    image_cuda, image_archs : what is in an image that no rule knows, such as ``"12.4"``
        and ``"8.0;9.0+PTX"``; ``""`` where nothing is said
    """

    name: str
    description: str
    task: str
    sample: str
    samples_per_epoch: float
    epochs: int
    batch_size: int
    precision: Precision
    forward_gflops_per_sample: float
    training_flops_factor: float
    parameters_m: float
    trainable_parameters_m: float
    weight_bytes_per_parameter: float
    state_bytes_per_trainable: float
    activation_mb_per_sample: float
    framework_memory_gb: float
    kernels_per_step: float
    disk_bytes_per_sample: float
    gpu_bytes_per_sample: float
    cpu_ms_per_sample: float
    cpu_ms_log_sd: float
    dataset_gb: float
    image_gb: float
    checkpoint_gb: float
    reference: Reference
    sources: Mapping[str, str]
    optimizer: Optimizer = "stated"
    gradient_checkpointing: bool = False
    sharding: Sharding = "none"
    loading: Loading = "whole"
    host_ram_gb: float = 0.0
    image: str = ""
    image_cuda: str = ""
    image_archs: str = ""

    @property
    def training_gflops_per_sample(self) -> float:
        """10^9 FLOPs of one training step, per sample."""
        return self.forward_gflops_per_sample * self.training_flops_factor

    @property
    def disk_gb(self) -> float:
        """10^9 bytes of disk that a job needs: data, image, two checkpoints."""
        return self.dataset_gb + self.image_gb + 2 * self.checkpoint_gb


def with_benchmark_units_of(child: Workload, parent: Workload) -> Workload:
    """Return a changed profile whose samples count as units of its parent's benchmark.

    The measurements of the benchmark that both name set the intercept of the prediction.
    Where the operations per sample were changed, a sample counts as that many times the
    units: otherwise the change would have no effect. Not for a child whose own
    `benchmark_units_per_sample` was stated.
    """
    mine, theirs = child.reference, parent.reference
    same = mine.benchmark == theirs.benchmark != ""
    ratio = child.training_gflops_per_sample / parent.training_gflops_per_sample
    if not same or ratio == 1.0:
        return child
    units = theirs.benchmark_units_per_sample * ratio
    sources = {
        **child.sources,
        "benchmark_units_per_sample": f"derived: operations of a sample over those of "
        f"{parent.name}",
    }
    reference = replace(mine, benchmark_units_per_sample=units)
    return replace(child, reference=reference, sources=sources)
