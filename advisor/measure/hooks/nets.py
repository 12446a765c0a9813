"""The nets and optimizers of a training, looked at while their steps are counted."""

from __future__ import annotations

import functools
import math
from collections import Counter
from typing import Any, Callable, Iterator

from .batches import batch_of, dtype_name
from .observation import Model, Optimizer, Tensor

_MOST_MODULES = 40
_TOLD = ("attention", "attn", "lstm", "gru", "rnn", "moe", "expert", "lora", "quant")
_TOLD_BITS = ("4bit", "8bit", "linear", "conv", "embedding", "norm", "parallel")
"""Parts of names of modules that a reader knows a net by."""


class NetWatch:
    """One net that is called from outside of any other.

    Attributes
    ----------
    calls : within the counted steps
    rows : first dimension of what it was called with; None: of no tensor
    """

    def __init__(self, module: Any) -> None:
        self.module = module
        self.calls = 0
        self.rows: int | None = None
        self.inputs: list[Tensor] = []


class Nets:
    """Sees the calls of nets while it is on.

    Parameters
    ----------
    torch : PyTorch
    in_backward : says whether a backward pass runs, which calls parts of nets again
    called : is called at each call of a net, before it
    """

    def __init__(
        self, torch: Any, in_backward: Callable[[], bool], called: Callable[[], None]
    ) -> None:
        self._torch, self._in_backward, self._called = torch, in_backward, called
        self._depth = 0
        self._original: Any = None
        self.every: dict[int, NetWatch] = {}
        self.autocast: tuple[str, str] | None = None
        self.models: list[Model] = []
        self.wrapper: str | None = None
        self.sharding = "none"
        self.gpus = 1

    def start(self) -> None:
        """See calls from now on. Only while nothing runs compiled."""
        module = self._torch.nn.Module
        original = self._original = module.__call__

        @functools.wraps(original)
        def call(one: Any, *args: Any, **named: Any) -> Any:
            if self._in_backward():
                return original(one, *args, **named)
            if self._depth == 0:
                self._see(one, args, named)
            if self.autocast is None:
                self.autocast = autocast_of(self._torch)
            self._depth += 1
            try:
                return original(one, *args, **named)
            finally:
                self._depth -= 1

        module.__call__ = call

    def stop(self) -> None:
        """See no more."""
        if self._original is not None:
            self._torch.nn.Module.__call__ = self._original
            self._original = None

    def _see(self, module: Any, args: Any, named: Any) -> None:
        """Note a call from outside."""
        if next(module.parameters(), None) is None:  # a loss, an activation
            return
        self._called()
        watch = self.every.setdefault(id(module), NetWatch(module))
        watch.calls += 1
        if watch.calls == 1:
            batch = batch_of({**dict(enumerate(args)), **named})
            watch.rows, watch.inputs = batch.rows, batch.described()

    def describe(self, steps: int, trained: set[int]) -> None:
        """Write down what was seen in so many steps; keep hold of no net.

        Parameters
        ----------
        trained : ids of the parameters that the main optimizer updates
        """
        inner: set[int] = set()
        for watch in self.every.values():
            inner.update(id(one) for one in watch.module.modules())
            inner.discard(id(watch.module))
        roots = [one for key, one in self.every.items() if key not in inner]
        for one in roots:
            self._see_wrapper(one.module)
        self.models = [_described(one, steps, trained) for one in roots]
        self.models.sort(key=lambda one: (not one.is_trained, -one.parameters))
        self.every.clear()

    def _see_wrapper(self, module: Any) -> None:
        """Note what wraps a net for several GPUs."""
        names = {type(one).__name__ for one in module.modules()}
        if "DeepSpeedEngine" in names:
            stage = _called(module, "zero_optimization_stage")
            self.wrapper = "deepspeed"
            self.sharding = {1: "zero1", 2: "zero2", 3: "fsdp"}.get(stage, "none")
        elif any(one.startswith(("FullyShardedDataParallel", "FSDP")) for one in names):
            self.wrapper = "fsdp"
            strategy = str(getattr(module, "sharding_strategy", ""))
            self.sharding = "zero2" if "GRAD_OP" in strategy else "fsdp"
            if "NO_SHARD" in strategy:
                self.sharding = "none"
        elif "DistributedDataParallel" in names:
            self.wrapper = "ddp"
        elif "DataParallel" in names:
            self.wrapper = "data-parallel"
            self.gpus = max(len(getattr(module, "device_ids", None) or ()), 1)


def _called(one: Any, name: str) -> Any:
    """Return what a method gives; None where there is none."""
    method = getattr(one, name, None)
    return method() if callable(method) else None


def _described(watch: NetWatch, steps: int, trained: set[int]) -> Model:
    parameters = list(watch.module.parameters())
    dtypes: Counter[str] = Counter()
    for one in parameters:
        dtypes[held_in(one)] += numbers(one)
    held = [*parameters, *watch.module.buffers()]
    return Model(
        name=type(unwrapped(watch.module)).__name__,
        parameters=sum(dtypes.values()),
        trainable=sum(numbers(one) for one in parameters if one.requires_grad),
        parameter_bytes=sum(numbers(one) * one.element_size() for one in held),
        dtypes=dict(dtypes),
        calls_per_step=watch.calls / max(steps, 1),
        is_trained=any(id(one) in trained for one in parameters),
        inputs=watch.inputs,
        modules=_modules(watch.module),
        memory_format=_memory_format(parameters),
        attention_implementation=_attention(watch.module),
    )


def unwrapped(module: Any) -> Any:
    """Return the net within what wraps it for several GPUs or for the compiler."""
    for _ in range(8):
        wraps = type(module).__name__ in {
            *("DistributedDataParallel", "DataParallel", "FullyShardedDataParallel"),
            *("OptimizedModule", "DeepSpeedEngine", "_FabricModule"),
        }
        inner = None
        for name in ("module", "_orig_mod", "_fsdp_wrapped_module", "_forward_module"):
            inner = getattr(module, name, None) if wraps and inner is None else inner
        if inner is None:
            return module
        module = inner
    return module


def numbers(parameter: Any) -> int:
    """Return how many numbers a parameter is, the whole of one that is sharded.

    Quantized ones are packed, two of four bits in a byte; DeepSpeed and FSDP hold a part.
    """
    if isinstance(found := getattr(parameter, "ds_numel", None), int):
        return found
    whole = getattr(parameter, "_unpadded_unsharded_size", None)
    if whole is None:
        whole = getattr(getattr(parameter, "quant_state", None), "shape", None)
    if whole is not None:
        return int(math.prod(whole))
    try:
        return int(parameter.numel())
    except (RuntimeError, ValueError):  # lazy: its shape is not known yet
        return 0


def held_in(parameter: Any) -> str:
    """Return what a parameter is held in: its dtype, or its quantization."""
    return str(getattr(parameter, "quant_type", None) or dtype_name(parameter.dtype))


def _modules(module: Any) -> dict[str, int]:
    """Return classes that a reader knows a net by, and how often they are in it."""
    counts = Counter(type(one).__name__ for one in module.modules())
    told = _TOLD + _TOLD_BITS
    known = {
        name: number
        for name, number in counts.most_common()
        if any(word in name.lower() for word in told)
    }
    return dict(list(known.items())[:_MOST_MODULES])


def _memory_format(parameters: list[Any]) -> str | None:
    """Return the order of dimensions of most convolutions' weights."""
    last = plain = 0
    for one in parameters:
        if one.dim() == 4 and min(one.shape[1:]) > 0 and one.shape[1] > 1:
            strides = one.stride()
            is_last = strides[1] == 1 and one.shape[2] * one.shape[3] > 1
            last, plain = last + is_last, plain + (not is_last)
    if not last + plain:
        return None
    return "channels-last" if last > plain else "contiguous"


def _attention(module: Any) -> str | None:
    """Return the attention that the configuration of a Transformers model names."""
    found = getattr(
        getattr(unwrapped(module), "config", None), "_attn_implementation", None
    )
    return found if isinstance(found, str) else None


def autocast_of(torch: Any) -> tuple[str, str] | None:
    """Return device and dtype of the autocast that is on; None: it is off."""
    for kind in ("cuda", "cpu"):
        try:
            is_on = torch.is_autocast_enabled(kind)
            dtype = torch.get_autocast_dtype(kind) if is_on else None
        except TypeError:  # before PyTorch 2.4
            is_gpu = kind == "cuda"
            is_on = (
                torch.is_autocast_enabled() if is_gpu else torch.is_autocast_cpu_enabled()
            )
            dtype = (
                torch.get_autocast_gpu_dtype()
                if is_gpu
                else torch.get_autocast_cpu_dtype()
            )
        if is_on:
            return kind, dtype_name(dtype)
    return None


def parameters_of(optimizer: Any) -> Iterator[Any]:
    """Yield the tensors that an optimizer updates."""
    for group in optimizer.param_groups:
        yield from group["params"]


def optimizer_of(optimizer: Any, *, is_main: bool, steps: int) -> Optimizer:
    """Return what an optimizer is."""
    kind = type(optimizer)
    dtypes: Counter[str] = Counter()
    for one in parameters_of(optimizer):
        dtypes[dtype_name(one.dtype)] += numbers(one)
    state_bytes = sum(
        part.numel() * part.element_size()
        for state in optimizer.state.values()
        for part in (state.values() if hasattr(state, "values") else ())
        if hasattr(part, "element_size") and part.dim()  # without its counter of steps
    )
    held = sum(one.numel() for one in parameters_of(optimizer))
    first = optimizer.param_groups[0] if optimizer.param_groups else {}
    momentum = first.get("momentum")
    return Optimizer(
        name=f"{kind.__module__}.{kind.__qualname__}",
        bases=[one.__name__ for one in kind.__mro__[1:] if one is not object],
        is_main=is_main,
        parameters=sum(dtypes.values()),
        dtypes=dict(dtypes),
        state_bytes=int(state_bytes),
        state_bytes_per_parameter=state_bytes / held if held else 0.0,
        momentum=float(momentum) if isinstance(momentum, (int, float)) else None,
        fused=_flag(first.get("fused")),
        foreach=_flag(first.get("foreach")),
        steps=steps,
    )


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None
