"""Where PyTorch is hooked: steps of optimizers, backward passes, and what tells of them.

Each hook calls a method of the session, whose faults end in notes, and does what PyTorch
does.
"""

from __future__ import annotations

import functools
import importlib
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Callable


def alone(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that the compiler leaves alone, with all that it calls.

    Where a compiled function steps an optimizer or passes backward, our hooks would be
    compiled with it. Importing the compiler takes seconds: only if it is there already.
    """
    disabled: list[Callable[..., Any]] = []

    @functools.wraps(function)
    def entry(*args: Any, **named: Any) -> Any:
        if not disabled:
            disable = getattr(sys.modules.get("torch._dynamo"), "disable", None)
            if disable is None:
                return function(*args, **named)
            disabled.append(disable(function))
        return disabled[0](*args, **named)

    entry._torchdynamo_disable = True  # type: ignore[attr-defined]  # noqa: SLF001
    return entry


def hook_optimizers(
    before: Callable[[Any, Any, Any], Any], after: Callable[[Any], None]
) -> None:
    """Call `before` and `after` around each step of each optimizer.

    `before` gets the optimizer and the arguments of the call, and may return others.

    Raises
    ------
    AttributeError
        before PyTorch 2.0
    """

    def post(one: Any, *_: Any) -> None:
        after(one)

    module = importlib.import_module("torch.optim.optimizer")
    module.register_optimizer_step_pre_hook(alone(before))
    module.register_optimizer_step_post_hook(alone(post))


def hook_backward(
    torch: Any, before: Callable[[bool, bool], None], after: Callable[[bool], None]
) -> None:
    """Call `before` and `after` around each pass through autograd.

    Both get whether it is a backward pass (``grad`` is none), `before` also whether it
    makes a graph of itself.
    """
    autograd, before, after = torch.autograd, alone(before), alone(after)
    for name, place in (("backward", 3), ("grad", 4)):
        original = getattr(autograd, name)
        is_backward = name == "backward"
        setattr(autograd, name, _around(original, place, is_backward, before, after))


def _around(
    original: Any,
    place: int,
    is_backward: bool,
    before: Callable[[bool, bool], None],
    after: Callable[[bool], None],
) -> Any:
    @functools.wraps(original)
    def passing(*args: Any, **named: Any) -> Any:
        makes_graph = args[place] if len(args) > place else named.get("create_graph")
        before(is_backward, bool(makes_graph))
        try:
            return original(*args, **named)
        finally:
            after(is_backward)

    return passing


def hook_scaler(skipped: Callable[[bool], None], steps: Callable[[Any], int]) -> None:
    """Call `skipped` after each step of a gradient scaler with whether it made none.

    Parameters
    ----------
    steps : returns how many steps an optimizer has made
    """
    for name in ("torch.amp.grad_scaler", "torch.cuda.amp.grad_scaler"):
        try:
            scaler = importlib.import_module(name).GradScaler
        except (ImportError, AttributeError):
            continue
        original = scaler.__dict__.get("_maybe_opt_step")
        if original is None:  # derives from the one that is hooked
            continue

        @functools.wraps(original)
        def maybe(
            self: Any, optimizer: Any, *args: Any, _original: Any = original, **named: Any
        ) -> Any:
            before = steps(optimizer)
            result = _original(self, optimizer, *args, **named)
            skipped(steps(optimizer) == before)
            return result

        scaler._maybe_opt_step = maybe  # noqa: SLF001  (of PyTorch)


def hook_compile(torch: Any, called: Callable[[dict[str, Any]], None]) -> None:
    """Call `called` with the keywords at each use of ``torch.compile``."""
    original = torch.compile

    @functools.wraps(original)
    def compile_(*args: Any, **named: Any) -> Any:
        if args or named.get("model") is not None:  # else it returns a decorator
            called(named)
        compiled = original(*args, **named)
        skip_our_files()
        return compiled

    torch.compile = compile_
    if hasattr(torch.nn.Module, "compile"):  # since PyTorch 2.1
        of_module = torch.nn.Module.compile

        @functools.wraps(of_module)
        def compile_module(self: Any, *args: Any, **named: Any) -> Any:
            called(named)
            of_module(self, *args, **named)
            skip_our_files()

        torch.nn.Module.compile = compile_module


def skip_our_files() -> None:
    """Have the compiler, once it is there, not look into this package."""
    rules = sys.modules.get("torch._dynamo.trace_rules")
    package = __name__.partition(".")[0]
    with suppress(Exception):  # looked into or not, they do the same
        if str(Path(__file__).parent) not in rules.SKIP_DIRS:  # type: ignore[union-attr]
            rules.add(package)  # type: ignore[union-attr]
