"""What the hooks saw of one process: the document that they write.

One file for each process that imported PyTorch and is no worker of a DataLoader:
``observation-PID.json`` in the folder that ``ADVISOR_PROFILE_FOLDER`` names, replaced
atomically every few seconds and at the end, so that a process that is killed leaves what
it had. Workers leave their counters in ``worker-PID.bin`` (see `counters`), which the
document of the process that started them sums up. The trainer is the process with
optimizer steps; with several (DDP) the one of rank 0.

A *step* is one call of ``step`` of the main optimizer: the one with the most parameters.
The first steps are *warm-up*; some after them are *counted* (operators are counted as
they are dispatched, and the net is looked at; slow); some more settle what that upset,
such as queues of batches that filled meanwhile; the rest is *timed* (nothing but clocks).
Only timed steps are in `Loop`; some 30 are worth it. None stands for what was not seen,
never for zero. Plain data for JSON throughout; no path, host name, address or user in it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

KIND = "advisor-observation"
VERSION = 1

FOLDER = "ADVISOR_PROFILE_FOLDER"
"""Variable: where the documents go. Without it nothing is hooked."""
STEPS = "ADVISOR_PROFILE_STEPS"
"""Variable: optimizer steps after which the program is stopped; unset: none."""
SECONDS = "ADVISOR_PROFILE_SECONDS"
"""Variable: seconds since the first batch after which it is stopped; unset: none."""
REDIRECT = "ADVISOR_PROFILE_REDIRECT"
"""Variable: ``1`` lets what asks for CUDA run on the CPU where there is no CUDA."""


@dataclass
class Process:
    """Which process it is.

    Attributes
    ----------
    pid, parent_pid : of the operating system
    python, torch : versions, such as ``3.11.7`` and ``2.13.0+cpu``
    threads : of PyTorch within one operator
    cores : that the process may run on
    seconds : since PyTorch was imported
    cpu_seconds : of the process, without its children
    """

    pid: int = 0
    parent_pid: int = 0
    python: str = ""
    torch: str = ""
    threads: int | None = None
    cores: int | None = None
    seconds: float = 0.0
    cpu_seconds: float = 0.0


@dataclass
class Ended:
    """How it ended.

    Attributes
    ----------
    how : ``running`` (the document is of a process that goes on, or was killed),
        ``finished`` (by itself; what status it gave ``sys.exit`` its parent knows),
        ``stopped`` (by us, then it went down as after Ctrl-C; its exit status is 0 where
        the program leaves that to Python), ``failed`` (an error that nothing caught)
    stopped_after : ``steps`` or ``seconds``, what we stopped it for; None: we did not
    error : class of the exception that ended it, such as ``RuntimeError``; None: none
    """

    how: str = "running"
    stopped_after: str | None = None
    error: str | None = None


@dataclass
class Steps:
    """Optimizer steps of the main optimizer.

    Attributes
    ----------
    seen : all of them
    warm_up, counted, timed : of these, see above; the rest lay between, or held an
        evaluation
    skipped_by_scaler : steps that a gradient scaler left out for infinite gradients
    backwards_per_step : passes through ``backward`` that add up to a step (accumulation),
        the median; those for another optimizer's step are left out, and all those that a
        closure makes, as that of LBFGS, are one
    batches_per_step : batches of the training's loader per step, the median; None: no
        DataLoader
    samples_per_step : samples of this process per step, the median
    samples_per_batch : samples of one micro-batch, the median
    samples_from : ``loader`` (indices that a DataLoader gave), ``rows`` (first dimension
        of what the loader gave) or ``model`` (first dimension of what the net was called
        with); None: samples are not known
    """

    seen: int = 0
    warm_up: int = 0
    counted: int = 0
    timed: int = 0
    skipped_by_scaler: int = 0
    backwards_per_step: float | None = None
    batches_per_step: float | None = None
    samples_per_step: float | None = None
    samples_per_batch: float | None = None
    samples_from: str | None = None


@dataclass
class Loop:
    """Times of the timed steps.

    Attributes
    ----------
    step_s : seconds of each timed step, in order (the last 1000 at most)
    wait_s : seconds of each in which the loop stood in ``next`` of a DataLoader (without
        workers: loading itself); None: it has none
    samples : samples of each; None: not known
    seconds, total_samples : of all timed steps together, with a GPU between two
        synchronizations: their ratio is the throughput of this process
    gpu_idle_waits : share of the batches at whose arrival the GPU had nothing left to
        do; None: no GPU
    before_forward_s : seconds from the end of a step to the call of the net, median of
        the counted steps: what a loop without DataLoader spends on its data at most
    """

    step_s: list[float] = field(default_factory=list)
    wait_s: list[float] | None = None
    samples: list[float] | None = None
    seconds: float | None = None
    total_samples: float | None = None
    gpu_idle_waits: float | None = None
    before_forward_s: float | None = None


@dataclass
class Tensor:
    """One tensor of a batch.

    Attributes
    ----------
    name : its key or place in the batch, such as ``input_ids`` or ``0``
    shape, dtype : such as ``[32, 3, 224, 224]`` and ``float32``
    """

    name: str
    shape: list[int]
    dtype: str


@dataclass
class Loader:
    """One DataLoader.

    Attributes
    ----------
    is_training : the loader whose batches went into most backward passes
    dataset : class of the data set
    dataset_samples : ``len(dataset)``; None: a stream without length
    sampler_samples : ``len(sampler)``: samples that one epoch of this process draws
    samples_per_epoch : samples of an epoch of all processes together: what the sampler
        draws times the processes that share it, without a last batch that is dropped;
        a stream's: of an epoch that was seen whole; None: not known
    batches_per_epoch : ``len(loader)`` of this process
    batch_size : as given; None: the data set makes batches itself
    drop_last : whether an incomplete last batch is left out
    workers : processes; 0: the loop loads itself
    start_method : of the workers: ``fork``, ``spawn``, ``forkserver``
    persistent, pin_memory : as given
    prefetch : batches that each worker loads ahead
    batches, samples : that came so far
    epochs : whole passes that were seen
    batch_bytes : bytes of the tensors of a batch per sample, the mean
    tensors : of a batch in the middle
    padding_share : share of ``attention_mask`` that is zero; None: there is no such mask
    batch_sizes : samples of a batch -> how often it came, such as ``{"32": 100}``
    fetch_cpu_s : seconds of CPU time within the data set and the collation, after the
        first batch of each process that loads
    loading_cpu_s : the same with what workers spend on handing batches over; without
        workers as `fetch_cpu_s`
    fetched_samples : samples to which both apply
    read_bytes : bytes that it read from files meanwhile (``rchar`` of ``/proc/PID/io``,
        cached or not); None: the system does not say
    device_read_bytes : of these, from the device (``read_bytes``)
    mapped_bytes : size of the data files that are mapped into memory, which no count of
        reads sees
    seen_workers : worker processes that left their counters
    """

    is_training: bool = False
    dataset: str = ""
    dataset_samples: int | None = None
    sampler_samples: int | None = None
    samples_per_epoch: float | None = None
    batches_per_epoch: int | None = None
    batch_size: int | None = None
    drop_last: bool = False
    workers: int = 0
    start_method: str | None = None
    persistent: bool = False
    pin_memory: bool = False
    prefetch: int | None = None
    batches: int = 0
    samples: float | None = None
    epochs: int = 0
    batch_bytes: float | None = None
    tensors: list[Tensor] = field(default_factory=list)
    padding_share: float | None = None
    batch_sizes: dict[str, int] = field(default_factory=dict)
    fetch_cpu_s: float | None = None
    loading_cpu_s: float | None = None
    fetched_samples: float | None = None
    read_bytes: float | None = None
    device_read_bytes: float | None = None
    mapped_bytes: float | None = None
    seen_workers: int = 0


@dataclass
class Model:
    """One net that was called from outside of any other in the counted steps.

    Attributes
    ----------
    name : its class
    parameters, trainable : numbers of them, each once; of sharded ones the whole
    parameter_bytes : of all parameters and buffers as they are held
    dtypes : dtype -> parameters, such as ``{"float32": 25557032}``
    calls_per_step : calls per step
    is_trained : it has parameters that the main optimizer updates
    inputs : what it was called with
    modules : class -> how often it is in it, of those that a reader knows it by
        (attention, RNNs, wrappers, quantized layers); the 40 most frequent
    memory_format : ``channels-last`` where most convolution weights are so, else
        ``contiguous``; None: no convolution
    attention_implementation : as the configuration of a Transformers model names it
    """

    name: str = ""
    parameters: int = 0
    trainable: int = 0
    parameter_bytes: int = 0
    dtypes: dict[str, int] = field(default_factory=dict)
    calls_per_step: float = 0.0
    is_trained: bool = False
    inputs: list[Tensor] = field(default_factory=list)
    modules: dict[str, int] = field(default_factory=dict)
    memory_format: str | None = None
    attention_implementation: str | None = None


@dataclass
class Optimizer:
    """One optimizer that made steps.

    Attributes
    ----------
    name : class with its module, such as ``torch.optim.adamw.AdamW``
    bases : classes that it derives from, nearest first, without ``object``
    is_main : its steps are the steps of this document
    parameters : numbers that it updates
    dtypes : dtype -> numbers
    state_bytes : bytes of its state after the first steps
    state_bytes_per_parameter : the same per number that it updates
    momentum : of its first group; None: it has none
    fused, foreach : as its first group says
    steps : that it made
    """

    name: str = ""
    bases: list[str] = field(default_factory=list)
    is_main: bool = False
    parameters: int = 0
    dtypes: dict[str, int] = field(default_factory=dict)
    state_bytes: int = 0
    state_bytes_per_parameter: float = 0.0
    momentum: float | None = None
    fused: bool | None = None
    foreach: bool | None = None
    steps: int = 0


@dataclass
class Precision:
    """In what the net computes.

    Attributes
    ----------
    autocast : dtype of autocast within the forward pass of the trained net, such as
        ``bfloat16``; None: off
    autocast_device : of the above, such as ``cuda``
    scaler : whether a gradient scaler is enabled and in use
    flops_by_dtype : dtype -> operations of one sample in it, of the counted steps
    matmul_tf32, cudnn_tf32 : flags of PyTorch, as they are at the end
    matmul_precision : ``torch.get_float32_matmul_precision()``
    """

    autocast: str | None = None
    autocast_device: str | None = None
    scaler: bool = False
    flops_by_dtype: dict[str, float] = field(default_factory=dict)
    matmul_tf32: bool | None = None
    cudnn_tf32: bool | None = None
    matmul_precision: str | None = None


@dataclass
class Counted:
    """What the counted steps cost; totals over all of them.

    Operations are floating-point operations (2 x multiply-adds) by PyTorch's formulas and
    those of `advisor.workloads.operations`. A part is ``forward``, ``backward``,
    ``recomputed`` (forward once more: there is gradient checkpointing) or ``optimizer``.

    Attributes
    ----------
    steps, batches, backwards : that were counted
    samples : in them; None: not known
    flops : part -> operations
    kernels : part -> operators that were dispatched and are no views: about what a GPU
        launches, except that optimizers on the CPU go parameter by parameter
    kernels_profiled : kernels of a step as the GPU's profiler counts them, compiled if it
        is; None: no GPU
    uncounted : operator without a formula that may multiply matrices -> calls
    unpatched : libraries that compute past PyTorch's dispatcher and were in use
    recurrent_calls, recurrent_kernels : calls of LSTM, GRU and RNN, and the kernels that
        a GPU would launch for them, forward and backward; theirs as the CPU dispatches
        them are among `kernels`
    activation_bytes : that autograd kept for the backward pass, not of parameters
    h2d_bytes : copied from the host's memory to a GPU (or would have been, redirected)
    h2d_copies : how many copies that were
    """

    steps: int = 0
    batches: int = 0
    backwards: int = 0
    samples: float | None = None
    flops: dict[str, float] = field(default_factory=dict)
    kernels: dict[str, float] = field(default_factory=dict)
    kernels_profiled: float | None = None
    uncounted: dict[str, int] = field(default_factory=dict)
    unpatched: list[str] = field(default_factory=list)
    recurrent_calls: int = 0
    recurrent_kernels: float = 0.0
    activation_bytes: float | None = None
    h2d_bytes: float | None = None
    h2d_copies: int | None = None


@dataclass
class Attention:
    """Attention within the counted steps.

    Attributes
    ----------
    fused_calls : calls of ``scaled_dot_product_attention``
    eager_calls : softmaxes of the product of two batches of matrices, written out
    flash_calls : calls of the packages flash-attn and xFormers
    kernels : operator that ran it -> calls, such as
        ``_scaled_dot_product_flash_attention``; ``math`` where none fused it
    """

    fused_calls: int = 0
    eager_calls: int = 0
    flash_calls: int = 0
    kernels: dict[str, int] = field(default_factory=dict)


@dataclass
class Compiled:
    """Whether ``torch.compile`` is used.

    Attributes
    ----------
    calls : of ``torch.compile`` and ``Module.compile``
    mode, backend : of the last call; None: the default
    frames, graph_breaks : that it compiled, and where it left off, as Dynamo counts them
    """

    calls: int = 0
    mode: str | None = None
    backend: str | None = None
    frames: int | None = None
    graph_breaks: int | None = None


@dataclass
class Distributed:
    """How several processes or GPUs train together.

    Attributes
    ----------
    rank, local_rank, world_size : 0, 0 and 1 for a process that is alone
    backend : such as ``nccl``; None: ``torch.distributed`` is not in use
    wrapper : ``ddp``, ``fsdp``, ``data-parallel``, ``deepspeed`` or None
    sharding : ``none``, ``zero1``, ``zero2`` or ``fsdp``
    gpus : that this process computes on; 0: on the CPU
    """

    rank: int = 0
    local_rank: int = 0
    world_size: int = 1
    backend: str | None = None
    wrapper: str | None = None
    sharding: str = "none"
    gpus: int = 0


@dataclass
class Device:
    """Where it computes.

    Attributes
    ----------
    kind : ``cuda``, ``cpu`` or what else the parameters are on, such as ``mps``
    cuda_available : as PyTorch says
    cuda_asked : times that the program asked for CUDA where there is none
    redirected : times that this was led to the CPU
    peak_allocated_bytes, peak_reserved_bytes : of the GPU's memory, the most of one GPU
    peak_host_bytes : of this process's memory (resident)
    peak_workers_bytes : resident, of its largest worker that has ended
    gpus : name of each GPU that it may use
    """

    kind: str = "cpu"
    cuda_available: bool = False
    cuda_asked: int = 0
    redirected: int = 0
    peak_allocated_bytes: int | None = None
    peak_reserved_bytes: int | None = None
    peak_host_bytes: int | None = None
    peak_workers_bytes: int | None = None
    gpus: list[str] = field(default_factory=list)


@dataclass
class Observation:
    """All that was seen of one process.

    Attributes
    ----------
    libraries : trainer's library that was imported -> its version, such as
        ``{"transformers": "5.24.0"}``
    notes : what a reader should know, what could not be seen and why: whole sentences
    """

    process: Process = field(default_factory=Process)
    ended: Ended = field(default_factory=Ended)
    steps: Steps = field(default_factory=Steps)
    loop: Loop = field(default_factory=Loop)
    loaders: list[Loader] = field(default_factory=list)
    models: list[Model] = field(default_factory=list)
    optimizers: list[Optimizer] = field(default_factory=list)
    precision: Precision = field(default_factory=Precision)
    counted: Counted = field(default_factory=Counted)
    attention: Attention = field(default_factory=Attention)
    compiled: Compiled = field(default_factory=Compiled)
    distributed: Distributed = field(default_factory=Distributed)
    device: Device = field(default_factory=Device)
    libraries: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """Return it as plain data for JSON."""
        return {"kind": KIND, "version": VERSION, **asdict(self)}
