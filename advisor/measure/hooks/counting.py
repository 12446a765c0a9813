"""Operators counted as PyTorch dispatches them, while the training goes on.

Nothing is changed of what they compute. Classes that derive from PyTorch's are made in
functions, since PyTorch is there only once the program has imported it.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import Any, Callable, Iterator

from .batches import dtype_name
from .eager import eagerly
from .formulas import formulas

FORWARD, BACKWARD = "forward", "backward"
RECOMPUTED, OPTIMIZER = "recomputed", "optimizer"

_FUSED = "scaled_dot_product_attention"
_MULTIHEAD = "multi_head_attention_forward"
_PACKAGES = ("flash_attn", "xformers", "_flash_attn")
"""Beginnings of the name spaces of packages that have attention kernels."""


class Tally:
    """What was counted within one step.

    Attributes
    ----------
    flops, kernels : part -> operations, operators that are no views
    flops_by_dtype : dtype -> operations
    uncounted : operator -> calls
    fused_calls, eager_calls, flash_calls, attention_kernels : see `observation.Attention`
    recurrent_calls, recurrent_kernels : see `observation.Counted`
    kept : bytes that autograd keeps, by their storage, since the last backward pass
    activation_bytes : of the passes before
    h2d_bytes, h2d_copies : from the host's memory to a GPU
    """

    def __init__(self) -> None:
        self.flops: dict[str, float] = {}
        self.kernels: dict[str, float] = {}
        self.flops_by_dtype: dict[str, float] = {}
        self.uncounted: dict[str, int] = {}
        self.fused_calls = self.eager_calls = self.flash_calls = 0
        self.attention_kernels: dict[str, int] = {}
        self.recurrent_calls = 0
        self.recurrent_kernels = 0.0
        self.kept: dict[int, int] = {}
        self.activation_bytes = 0.0
        self.h2d_bytes = 0.0
        self.h2d_copies = 0

    def passed_back(self) -> None:
        """Settle what was kept for a backward pass that is over."""
        self.activation_bytes += sum(self.kept.values())
        self.kept.clear()


class Counting:
    """Counts all that is dispatched between `start` and `stop`.

    Parameters
    ----------
    torch : PyTorch
    part : returns the part of the step that is running
    owned : addresses of the storages of all parameters
    note : takes a sentence for the reader
    """

    def __init__(
        self,
        torch: Any,
        part: Callable[[], str],
        owned: set[int],
        note: Callable[[str], None],
    ) -> None:
        self._torch, self._part, self._owned, self._note = torch, part, owned, note
        self._formulas = formulas()
        self.tally = Tally()
        self.thread = threading.get_ident()
        self._silent = 0
        self._within_fused = 0
        self._scores: tuple[int, ...] = ()
        self._entered: list[tuple[Any, Callable[[], Any] | None]] = []

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Count nothing meanwhile."""
        self._silent += 1
        try:
            yield
        finally:
            self._silent -= 1

    def start(self) -> None:
        """Begin to count, with compiled nets run eagerly."""
        from torch.overrides import _get_current_function_mode
        from torch.utils._python_dispatch import _get_current_dispatch_mode

        self._enter(eagerly(self._torch), None)
        self._enter(_watching(self), _get_current_dispatch_mode)
        self._enter(_calls(self), _get_current_function_mode)
        self._keep_hooks()

    def freeze(self) -> None:
        """Add nothing more to the tally."""
        self._silent += 1

    def stop(self) -> None:
        """Count no more.

        What the program entered after us and has not left stays on top; ours stays below
        it then, and is silent.
        """
        self.freeze()
        while self._entered:
            context, current = self._entered.pop()
            if current is None or current() is context:
                context.__exit__(None, None, None)
            else:
                self._note("Counting ended within a mode of the program's own.")

    def _enter(self, context: Any, current: Callable[[], Any] | None) -> None:
        context.__enter__()
        self._entered.append((context, current))

    def _keep_hooks(self) -> None:
        """See what autograd keeps, until something says that it stands no such hooks.

        `torch.func` refuses to run while there are any.
        """
        graph = self._torch.autograd.graph
        hooks = graph.saved_tensors_hooks(self._keep, lambda one: one)
        hooks.__enter__()
        entry: tuple[Any, None] = (hooks, None)
        self._entered.append(entry)
        disable = graph.disable_saved_tensors_hooks

        def without_ours(*args: Any, **named: Any) -> Any:
            if entry in self._entered:
                self._entered.remove(entry)
                hooks.__exit__(None, None, None)
                self.tally.kept.clear()
                self.tally.activation_bytes = float("nan")
            return disable(*args, **named)

        graph.disable_saved_tensors_hooks = without_ours
        restore = _Restoring(graph, "disable_saved_tensors_hooks", disable)
        self._entered.append((restore, None))

    def _keep(self, tensor: Any) -> Any:
        """Note the storage of a tensor that autograd keeps."""
        if self._silent or tensor.device.type == "meta":
            return tensor
        try:
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in self._owned:
                self.tally.kept[storage.data_ptr()] = storage.nbytes()
        except (AttributeError, NotImplementedError, RuntimeError):
            pass  # sparse, or of a class of its own: has no one storage
        return tensor

    def dispatched(self, func: Any, args: Any, named: Any, result: Any) -> None:
        """Count one call of an operator."""
        if self._silent:
            return
        name = self._formulas.name_of(func)
        short = name.rpartition("::")[2]
        part, tally = self._part(), self.tally
        if not self._within_fused or part != FORWARD:
            launched = self._formulas.kernels(name)
            tally.kernels[part] = tally.kernels.get(part, 0.0) + launched
        self._count_flops(func, name, part, args, named, result)
        self._see_attention(name, short, args, result)
        if short in {"_to_copy", "copy_"}:
            self._see_copy(short, args, result)

    def _count_flops(  # noqa: PLR0917  (a call is as much)
        self, func: Any, name: str, part: str, args: Any, named: Any, result: Any
    ) -> None:
        tally = self.tally
        found = self._formulas.operations(func, args, named, result)
        if found is None:
            if name.startswith(_PACKAGES) and (own := _package(name, args)):
                found = own
            elif self._formulas.unknown(name):
                tally.uncounted[name] = tally.uncounted.get(name, 0) + 1
        if found:
            tally.flops[part] = tally.flops.get(part, 0.0) + found
            dtype = _dtype(self._torch, args)
            tally.flops_by_dtype[dtype] = tally.flops_by_dtype.get(dtype, 0.0) + found

    def _see_attention(self, name: str, short: str, args: Any, result: Any) -> None:
        """Tell attention that is fused, of a package, or written out."""
        tally = self.tally
        if short.startswith("_scaled_dot_product") and "backward" not in short:
            kernels = tally.attention_kernels
            kernels[short] = kernels.get(short, 0) + 1
        elif name.startswith(_PACKAGES) and ("fwd" in short or "forward" in short):
            tally.flash_calls += 1
        elif short in {"bmm", "baddbmm"}:
            self._scores = tuple(result.shape[-2:])
        elif (
            short in {"_softmax", "_safe_softmax"}
            and not self._within_fused
            and len(args[0].shape) > 2
            and tuple(args[0].shape[-2:]) == self._scores
        ):
            tally.eager_calls += self._part() == FORWARD

    def _see_copy(self, short: str, args: Any, result: Any) -> None:
        """Tell what is copied from the host to a GPU."""
        source, target = (args[1], args[0]) if short == "copy_" else (args[0], result)
        kind = getattr(getattr(source, "device", None), "type", "")
        if kind == "cpu" and target.device.type not in {"cpu", "meta"}:
            self.tally.h2d_bytes += float(source.numel() * target.element_size())
            self.tally.h2d_copies += 1
        elif source.data_ptr() in self._owned:
            # A copy of weights in another precision, which autocast keeps for the step.
            self._owned.add(result.untyped_storage().data_ptr())

    @contextmanager
    def calling(self, name: str, args: Any, named: Any) -> Iterator[None]:
        """See a call of a function of PyTorch that is made of operators."""
        is_fused = name == _FUSED or (
            name == _MULTIHEAD and not named.get("need_weights", True)
        )
        if self._silent or not (is_fused or name in self._formulas.GATES):
            yield
            return
        tally = self.tally
        if not is_fused:
            tally.recurrent_calls += 1
            launched = self._formulas.recurrence(self._torch, args).kernels
            tally.recurrent_kernels += 3.0 * launched  # forward once, backward twice
            yield
            return
        tally.fused_calls += 1
        tally.kernels[FORWARD] = tally.kernels.get(FORWARD, 0.0) + 1.0
        before = sum(tally.attention_kernels.values())
        self._within_fused += 1
        try:
            yield
        finally:
            self._within_fused -= 1
            if sum(tally.attention_kernels.values()) == before:
                kernels = tally.attention_kernels
                kernels["math"] = kernels.get("math", 0) + 1


class _Restoring:
    """Sets an attribute back when it is left."""

    def __init__(self, owner: Any, name: str, value: Any) -> None:
        self._owner, self._name, self._value = owner, name, value

    def __exit__(self, *_: object) -> None:
        setattr(self._owner, self._name, self._value)


def _watching(counting: Counting) -> Any:
    """Return what sees each operator that is dispatched."""
    from torch._ops import HigherOrderOperator
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils.flop_counter import flop_registry

    failed: list[str] = []

    class Watching(TorchDispatchMode):  # type: ignore[misc]
        supports_higher_order_operators = True

        def __torch_dispatch__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            named = kwargs or {}
            if counting._silent:  # noqa: SLF001  (of this module)
                return func(*args, **named)
            packet = getattr(func, "_overloadpacket", func)
            if not isinstance(func, HigherOrderOperator) and packet not in flop_registry:
                # What is made of others, seen where autograd is off.
                with self:
                    parts = func.decompose(*args, **named)
                if parts is not NotImplemented:
                    return parts
            result = func(*args, **named)
            try:
                counting.dispatched(func, args, named, result)
            except Exception as error:  # the training goes on
                if not failed:
                    failed.append(str(func))
                    counting._note(  # noqa: SLF001  (of this module)
                        f"Counting failed at {func} ({type(error).__name__})."
                    )
            return result

    return Watching()


def _calls(counting: Counting) -> Any:
    """Return what sees calls of functions that are made of operators."""
    from torch.overrides import TorchFunctionMode

    class Calls(TorchFunctionMode):  # type: ignore[misc]
        def __torch_function__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            named = kwargs or {}
            with counting.calling(getattr(func, "__name__", ""), args, named):
                return func(*args, **named)

    return Calls()


def _dtype(torch: Any, args: Any) -> str:
    """Return the dtype of what an operator multiplies."""
    for one in args:
        if isinstance(one, torch.Tensor) and one.is_floating_point():
            return dtype_name(one.dtype)
    return "other"


def _package(name: str, args: Any) -> float | None:
    """Return the operations of a package's attention kernel; None: not known.

    Of flash-attn and xFormers, whose tensors are batch x positions x heads x width: both
    products, backward twice, half of it where it is causal by a flag (left out here: as
    PyTorch's counter does, all scores count).
    """
    tensors = [one for one in args if len(getattr(one, "shape", ())) == 4]
    is_backward = "bwd" in name or "backward" in name
    first = 1 if is_backward else 0  # the gradient goes before
    if len(tensors) < first + 3:
        return None
    query, key, value = tensors[first : first + 3]
    batch, positions, heads, width = query.shape
    scores = float(batch * heads * positions * key.shape[1])
    forward = 2.0 * scores * float(width + value.shape[-1])
    return 2.0 * forward if is_backward else forward
