"""What a step costs, seen where PyTorch dispatches its operators.

Built once PyTorch is there: its classes are made in functions, since they derive from
PyTorch's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from advisor.base.errors import UsageError
from advisor.workloads.operations import (
    GATES,
    kernels,
    name_of,
    operations,
    recurrence,
    unknown,
)

_STATES = {"lstm": 2, "gru": 1, "rnn_tanh": 1, "rnn_relu": 1}
"""What RNNs keep of each time step beside their gates: hidden state, cell."""


@dataclass(slots=True)
class Tally:
    """Counts that rise while `counting` is on.

    Attributes
    ----------
    half : whether half precision is what fused RNNs keep
    flops : floating-point operations
    kernels : that a GPU would launch
    kept : bytes that autograd saves and that no parameter owns, by their storage
    reserved : bytes that fused RNNs keep besides
    time_steps : that RNNs have run over
    unknown : operators that may multiply matrices and have no formula, in order
    """

    half: bool = False
    flops: float = 0.0
    kernels: float = 0.0
    kept: dict[int, int] = field(default_factory=dict)
    reserved: float = 0.0
    time_steps: int = 0
    unknown: dict[str, None] = field(default_factory=dict)
    _silent: int = 0

    @property
    def saved(self) -> float:
        """Bytes from forward to backward."""
        return sum(self.kept.values()) + self.reserved

    def add(self, func: Any, arguments: Sequence[Any], named: Any, result: Any) -> None:
        """Count one call of an operator."""
        if self._silent:
            return
        name = name_of(func)
        self.kernels += kernels(name)
        found = operations(func, arguments, named, result)
        if found is not None:
            self.flops += found
        elif unknown(name):
            self.unknown[name] = None

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Count nothing meanwhile."""
        self._silent += 1
        try:
            yield
        finally:
            self._silent -= 1

    def check(self) -> None:
        """Refuse operators whose operations would be left out.

        Raises
        ------
        advisor.base.errors.UsageError
            if there are any
        """
        if not self.unknown:
            return
        first = next(iter(self.unknown)).replace("::", ".")
        message = (
            f"the operations of {', '.join(self.unknown)} are unknown: give a formula "
            "in the script, @torch.utils.flop_counter.register_flop_formula("
            f"torch.ops.{first}), or use operators of PyTorch's own"
        )
        raise UsageError(message)


@contextmanager
def counting(torch: Any, tally: Tally, owned: frozenset[int]) -> Iterator[None]:
    """Count all that runs inside.

    Attention runs fused as on a GPU, with dropout too (a CPU has no such kernel, and
    keeps all scores), and a fast path or a compiler hides nothing. What the backward
    pass of the same operations costs is counted where it runs inside as well.

    Parameters
    ----------
    owned : storages of the parameters
    """

    def keep(tensor: Any) -> Any:
        if tensor.layout != torch.strided:  # values and two indices of 8 bytes
            entries = tensor._nnz()  # noqa: SLF001  (what every layout has)
            tally.kept[id(tensor)] = entries * (tensor.element_size() + 16)
            return tensor
        storage = tensor.untyped_storage()
        if not tally._silent and storage.data_ptr() not in owned:  # noqa: SLF001  (ours)
            tally.kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    fast_path = torch.backends.mha.get_fastpath_enabled()
    with ExitStack() as stack:
        torch.backends.mha.set_fastpath_enabled(False)
        stack.callback(torch.backends.mha.set_fastpath_enabled, fast_path)
        if tally.half and torch.backends.cpu.get_cpu_capability() != "AVX512":
            # oneDNN has no LSTM in bfloat16 there, and fails where PyTorch asks it.
            onednn = torch.backends.mkldnn
            stack.callback(setattr, onednn, "enabled", onednn.enabled)
            onednn.enabled = False
        if hasattr(torch.compiler, "set_stance"):  # since 2.6
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        hooks = torch.autograd.graph.saved_tensors_hooks(keep, lambda one: one)
        stack.enter_context(hooks)
        stack.enter_context(_fused(torch, tally))
        stack.enter_context(_watch(tally))
        yield


def _watch(tally: Tally) -> Any:
    """Return what counts each operator that is dispatched inside."""
    from torch._ops import HigherOrderOperator  # noqa: PLC0415
    from torch.utils._python_dispatch import TorchDispatchMode  # noqa: PLC0415
    from torch.utils.flop_counter import flop_registry  # noqa: PLC0415

    class Watch(TorchDispatchMode):  # type: ignore[misc]
        supports_higher_order_operators = True

        def __torch_dispatch__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            named = kwargs or {}
            if tally._silent:  # noqa: SLF001  (of this module)
                return func(*args, **named)
            packet = getattr(func, "_overloadpacket", func)
            if not isinstance(func, HigherOrderOperator) and packet not in flop_registry:
                # What is made of others, seen where autograd is off.
                with self:
                    parts = func.decompose(*args, **named)
                if parts is not NotImplemented:
                    return parts
            result = func(*args, **named)
            tally.add(func, args, named, result)
            return result

    return Watch()


def _fused(torch: Any, tally: Tally) -> Any:
    """Return what runs RNNs and attention inside as a GPU's libraries do."""
    run_recurrence = _recurrence(torch, tally)

    class Fused(torch.overrides.TorchFunctionMode):  # type: ignore[misc]
        def __torch_function__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            named = dict(kwargs or {})
            name = getattr(func, "__name__", "")
            if name == "scaled_dot_product_attention":
                args = _without_dropout(args, 4)
                named.pop("dropout_p", None)
            if name == "multi_head_attention_forward" and not named.get("need_weights"):
                args = _without_dropout(args, 10)
            if name in GATES and not tally._silent:  # noqa: SLF001  (of this module)
                return run_recurrence(name, func, args)
            return func(*args, **named)

    return Fused()


def _without_dropout(args: Sequence[Any], place: int) -> Sequence[Any]:
    """Return arguments with a probability of nought at a place that is taken."""
    return [*args[:place], *(0.0 for _ in args[place : place + 1]), *args[place + 1 :]]


def _recurrence(torch: Any, tally: Tally) -> Any:
    """Return what runs a whole RNN and counts it by formula.

    Each matrix of weights meets each row of each time step once: 2 operations an element.
    Backward the same again for its gradient, and for that of what it was multiplied with,
    which the first layer needs only where its input needs a gradient. A GPU keeps of each
    row and layer the gates and the states.
    """

    class Recurrence(torch.autograd.Function):  # type: ignore[misc]
        @staticmethod
        def forward(ctx: Any, plan: Any, *tensors: Any) -> Any:
            with tally.silent():
                result = plan.run()
            ctx.plan = plan
            ctx.shapes = [(one.shape, one.dtype) for one in tensors]
            ctx.save_for_backward(tensors[0], result[0])
            tally.flops += plan.forward
            tally.kernels += plan.kernels
            tally.time_steps += plan.steps
            if any(one.requires_grad for one in tensors):
                tally.reserved += plan.reserved * (2 if tally.half else 4)
            return result

        @staticmethod
        def backward(ctx: Any, *_: Any) -> Any:
            tally.flops += ctx.plan.backward
            tally.kernels += 2 * ctx.plan.kernels
            with tally.silent():
                zeros = [torch.zeros(shape, dtype=kind) for shape, kind in ctx.shapes]
            return (None, *zeros)

    def run(name: str, func: Any, args: Sequence[Any]) -> Any:
        plan = _plan(torch, name, func, args)
        return Recurrence.apply(plan, *plan.tensors)

    return run


@dataclass(frozen=True, slots=True)
class _Plan:
    """One run of an RNN: what it is called with and what it costs.

    Attributes
    ----------
    func, args : the call
    tensors : of its arguments, the input first
    forward, backward : operations
    kernels : of the forward pass
    reserved : numbers that are kept for the backward pass
    steps : of time
    """

    func: Any
    args: Sequence[Any]
    tensors: tuple[Any, ...]
    forward: float
    backward: float
    kernels: float
    reserved: float
    steps: int

    def run(self) -> Any:
        """Run it for its result."""
        return self.func(*self.args)


def _plan(torch: Any, name: str, func: Any, args: Sequence[Any]) -> _Plan:
    """Return what a run of an RNN costs, from its arguments, see `recurrence`."""
    run = recurrence(torch, args)
    elements = float(sum(one.numel() for one in run.matrices))
    trained = float(sum(one.numel() for one in run.matrices if one.requires_grad))
    passed = elements
    if not run.inputs.requires_grad:
        passed -= sum(one.numel() for one in run.first)
    hidden = run.matrices[1].shape[0] / GATES[name]
    kept = (GATES[name] + _STATES[name]) * hidden * run.directions * run.rows
    states = tuple(run.state) if isinstance(run.state, (tuple, list)) else (run.state,)
    return _Plan(
        func=func,
        args=args,
        tensors=(run.inputs, *states, *run.weights),
        forward=2.0 * run.rows * elements,
        backward=2.0 * run.rows * (trained + passed),
        kernels=run.kernels,
        reserved=float(kept),
        steps=run.steps,
    )
