"""A workload profile: what a sample, a step and an epoch of a training need."""

from __future__ import annotations

from collections.abc import Collection, Mapping
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

Optimizer = Literal[
    "stated",
    "sgd",
    "momentum",
    "adam",
    "adam-8bit",
    "adam-8bit-paged",
    "adafactor",
    "lion",
    "prodigy",
]
"""What the optimizer keeps for each trained parameter, see `memory.STATE_BYTES`.

``stated``: what `Workload.state_bytes_per_trainable` says. ``adam`` is AdamW too; the
``paged`` one lets the host's memory take what a spike leaves no room for.
"""

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

Technique = Literal["full", "lora", "qlora"]
"""Which weights are trained: all of the net (``full``), adapters beside frozen weights
(``lora``; Hu et al., ICLR 2022), the same beside quantized ones (``qlora``; Dettmers et
al., NeurIPS 2023)."""

TECHNIQUES: tuple[Technique, ...] = get_args(Technique)

BaseWeights = Literal["stated", "half", "int8", "nf4"]
"""How frozen weights are held, see `memory.BASE_WEIGHT_BYTES`.

``stated``: what `Workload.weight_bytes_per_parameter` says. Quantization leaves
`Workload.embedding_parameters_m` as they are.
"""

BASE_WEIGHTS: tuple[BaseWeights, ...] = get_args(BaseWeights)

Attention = Literal["eager", "fused", "flash"]
"""Kernel of the attention: ``eager`` writes the scores to memory, ``fused`` is the
framework's own (PyTorch's ``scaled_dot_product_attention``), ``flash`` the package
flash-attn. Without effect in a net that has none."""

ATTENTIONS: tuple[Attention, ...] = get_args(Attention)

MemoryFormat = Literal["contiguous", "channels-last"]
"""Order of an image's dimensions in memory."""

MEMORY_FORMATS: tuple[MemoryFormat, ...] = get_args(MemoryFormat)

Distributed = Literal["ddp", "data-parallel"]
"""How several GPUs train: a process each (``ddp``), or threads of one process
(``torch.nn.DataParallel``). FSDP and ZeRO are `Sharding`."""

DISTRIBUTED: tuple[Distributed, ...] = get_args(Distributed)

Loader = Literal["real", "synthetic"]
"""What feeds the training: data that are read and prepared, or the same batch again."""

LOADERS: tuple[Loader, ...] = get_args(Loader)

CHOICES: Mapping[str, tuple[str, ...]] = {
    "Attention": ATTENTIONS,
    "BaseWeights": BASE_WEIGHTS,
    "Distributed": DISTRIBUTED,
    "Loader": LOADERS,
    "Loading": LOADINGS,
    "MemoryFormat": MEMORY_FORMATS,
    "Precision": PRECISIONS,
    "Optimizer": OPTIMIZERS,
    "Sharding": SHARDINGS,
    "Technique": TECHNIQUES,
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
    checkpointed : its measurements computed activations again (gradient checkpointing)
    compiled : its measurements ran compiled, see `Workload.compiled`
    """

    framework: str
    era: str
    memory_format: str
    input_pipeline: str
    benchmark: str = ""
    benchmark_units_per_sample: float = 1.0
    checkpointed: bool = False
    compiled: bool = False


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
    kernels_per_step : GPU kernels that one step launches (any batch size), eagerly
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
    technique : see `Technique`
    base_weights : see `BaseWeights`
    embedding_parameters_m : 10^6 frozen parameters that quantization leaves as they are:
        embeddings and output matrix
    master_weights : mixed precision keeps trained weights in single precision; false:
        weights, gradients and moments are in half precision alone
    compiled : the net runs compiled (``torch.compile``); false: eagerly
    attention : see `Attention`
    attention_mb_per_sample : 10^6 bytes that eager attention keeps besides; 0: the net
        has none, or it is not known
    memory_format : see `MemoryFormat`
    fused_optimizer : one kernel updates many parameters (``fused=True``)
    distributed : see `Distributed`
    loader : see `Loader`
    tokens_per_sample : positions of a sample that the net computes, padding among them;
        0: samples are not of tokens
    padding_share : share of those that is padding, which is computed and teaches nothing
    packed : several texts share a sequence, so that little of it is padding
    checkpointed_mb_per_sample : 10^6 bytes that gradient checkpointing keeps of the
        activations; 0: by a share, see `memory.CHECKPOINTED_SHARE`
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
    technique: Technique = "full"
    base_weights: BaseWeights = "stated"
    embedding_parameters_m: float = 0.0
    master_weights: bool = True
    compiled: bool = False
    attention: Attention = "fused"
    attention_mb_per_sample: float = 0.0
    memory_format: MemoryFormat = "contiguous"
    fused_optimizer: bool = False
    distributed: Distributed = "ddp"
    loader: Loader = "real"
    tokens_per_sample: float = 0.0
    padding_share: float = 0.0
    packed: bool = False
    checkpointed_mb_per_sample: float = 0.0

    @property
    def half_weights(self) -> bool:
        """Whether trained weights are held in half precision alone."""
        lean = self.precision in {"amp", "bf16"} and not self.master_weights
        return lean or self.precision == "fp16"

    @property
    def counted_tokens_per_sample(self) -> float:
        """Tokens of a sample that teach something; 0: samples are not of tokens."""
        return self.tokens_per_sample * (1.0 - self.padding_share)

    @property
    def training_gflops_per_sample(self) -> float:
        """10^9 FLOPs of one training step, per sample."""
        return self.forward_gflops_per_sample * self.training_flops_factor

    @property
    def recomputation(self) -> float:
        """Operations of a step with gradient checkpointing over those without.

        The forward pass runs once more: 4/3 where all weights are trained, 3/2 beside
        frozen ones. Of nets in front that need no gradients nothing is computed again:
        no more than the forward pass of the layers that have a backward pass. That costs
        twice as much where their weights are trained, which are then most of the
        parameters, and at least as much where they are frozen.
        """
        backward = max(self.training_flops_factor - 1.0, 0.0)
        if self.trainable_parameters_m > 0.5 * self.parameters_m:
            backward /= 2.0
        return 1.0 + min(backward, 1.0) / self.training_flops_factor

    @property
    def benchmarked_gflops_per_sample(self) -> float:
        """10^9 FLOPs of one training step as its benchmark ran it, per sample."""
        again = self.recomputation if self.reference.checkpointed else 1.0
        return self.training_gflops_per_sample * again

    @property
    def stored_gb(self) -> float:
        """10^9 bytes of data that are downloaded: synthetic ones are made on the spot."""
        return 0.0 if self.loader == "synthetic" else self.dataset_gb

    @property
    def disk_gb(self) -> float:
        """10^9 bytes of disk that a job needs: data, image, two checkpoints."""
        return self.stored_gb + self.image_gb + 2 * self.checkpoint_gb


def with_what_follows(
    child: Workload, parent: Workload, stated: Collection[str]
) -> Workload:
    """Return a changed profile with the figures that follow from its own.

    What packing makes of its samples; and of other activations, checkpointing keeps in
    proportion.

    Parameters
    ----------
    child : profile with some figures of its own
    parent : profile that it took the others from
    stated : keys of its own figures, which stand as they are
    """
    old, new = parent.activation_mb_per_sample, child.activation_mb_per_sample
    if new != old and "checkpointed_mb_per_sample" not in stated:
        kept = min(parent.checkpointed_mb_per_sample * new / old, new)
        child = replace(child, checkpointed_mb_per_sample=kept)
    return _with_packing(child, parent, stated)


def _with_packing(child: Workload, parent: Workload, stated: Collection[str]) -> Workload:
    """Return a changed profile with the samples that packing its texts makes of them.

    Packed, the same tokens are in fewer sequences: those that the padding of the parent
    took are gone, and an epoch counts the same tokens. Not for a child whose own samples
    or padding are among the keys that were `stated`.
    """
    padded = parent.padding_share
    if not child.packed or parent.packed or padded == 0.0:
        return child
    if "samples_per_epoch" in stated or "padding_share" in stated:
        return child
    how = f"derived: {parent.name} packed, {padded:.0%} of it was padding"
    return replace(
        child,
        samples_per_epoch=max(child.samples_per_epoch * (1.0 - padded), 1.0),
        padding_share=0.0,
        sources={**child.sources, "samples_per_epoch": how, "padding_share": how},
    )


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
