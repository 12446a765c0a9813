"""What asks for CUDA where there is none: told, and if wanted led to the CPU."""

from __future__ import annotations

import functools
import sys
from typing import Any, Callable

_COMPILER = ("torch._inductor", "torch._dynamo", "torch._functorch")
"""Beginnings of modules of PyTorch's compiler, which looks for a GPU for itself."""


def tell_cuda(torch: Any, asked: Callable[[], None]) -> None:
    """Call `asked` each time that the program asks for CUDA and gets none.

    What the compiler asks of itself, and does without, is left out.
    """
    original = torch.cuda._lazy_init  # noqa: SLF001  (what all such calls go through)

    @functools.wraps(original)
    def lazy_init(*args: Any, **named: Any) -> Any:
        try:
            return original(*args, **named)
        except (AssertionError, RuntimeError):
            if not _is_of_compiler():
                asked()
            raise

    torch.cuda._lazy_init = lazy_init  # noqa: SLF001


def _is_of_compiler() -> bool:
    """Say whether PyTorch's compiler calls, before anything of the program's own."""
    frame: Any = sys._getframe(2)  # noqa: SLF001
    while frame is not None:
        name = str(frame.f_globals.get("__name__", ""))
        if name.startswith(_COMPILER):
            return True
        if name.partition(".")[0] != "torch":
            return False
        frame = frame.f_back
    return False


def redirect_cuda(
    torch: Any,
    redirected: Callable[[Any], None],
    autocast_asked: Callable[[str], None],
) -> None:
    """Lead what asks for CUDA to the CPU from now on.

    Parameters
    ----------
    redirected : is called each time, with the tensor that is copied or None
    autocast_asked : is called with the dtype of an autocast for CUDA: on the CPU it is
        bfloat16 instead, in which a CPU computes
    """
    mode = _mode(torch, redirected)
    mode.__enter__()
    for name in ("set_device", "synchronize", "reset_peak_memory_stats"):
        setattr(torch.cuda, name, _nothing())
    torch.cuda.current_device = lambda: 0
    _redirect_autocast(torch, autocast_asked)
    _redirect_backend(torch)


def _nothing() -> Callable[..., None]:
    """Return a function that does nothing, for a GPU that is not there.

    Each time another: the compiler knows PyTorch's functions by identity, and takes none
    for two.
    """
    return lambda *_, **__: None


def _is_cuda(one: Any) -> bool:
    """Say whether an argument names a GPU."""
    if isinstance(one, str):
        return one == "cuda" or one.startswith("cuda:")
    return type(one).__name__ == "device" and one.type == "cuda"


def _is_number(one: Any) -> bool:
    """Say whether an argument is the number of a GPU."""
    return isinstance(one, int) and not isinstance(one, bool)


def _mode(torch: Any, redirected: Callable[[Any], None]) -> Any:
    """Return what sees each call of a function of PyTorch."""
    from torch.overrides import TorchFunctionMode

    # Its very own: where a program brings it back, it stands for a GPU.
    cpu = torch.device("cpu")

    class Redirecting(TorchFunctionMode):  # type: ignore[misc]
        def __torch_function__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            if func is torch.Tensor.pin_memory:
                return args[0]
            if func is torch.Tensor.cuda:
                redirected(args[0])
                return args[0]
            if func is torch.device:
                kind = [*args, *(kwargs or {}).values()][:1]
                if not any(_is_cuda(one) or _is_number(one) for one in kind):
                    return func(*args, **(kwargs or {}))
                redirected(None)
                return cpu
            named = dict(kwargs or {})
            named.update({"pin_memory": False} if named.get("pin_memory") else {})
            is_copy = func is torch.Tensor.to
            places = [
                one is cpu or _is_cuda(one) or (is_copy and at == 1 and _is_number(one))
                for at, one in enumerate(args)
            ]
            device = named.get("device")
            if device is cpu or _is_cuda(device) or _is_number(device):
                named["device"] = cpu
            elif not any(places):
                return func(*args, **named)
            redirected(args[0] if is_copy else None)
            there = [cpu if is_gpu else one for is_gpu, one in zip(places, args)]
            return func(*there, **named)

    return Redirecting()


def _redirect_autocast(torch: Any, asked: Callable[[str], None]) -> None:
    """Lead autocast for CUDA to that of the CPU."""
    autocast = torch.amp.autocast_mode.autocast
    original = autocast.__init__

    @functools.wraps(original)
    def made(
        self: Any, device_type: str, dtype: Any = None, *args: Any, **named: Any
    ) -> None:
        if device_type == "cuda":
            enabled = args[0] if args else named.get("enabled", True)
            if enabled:
                asked(str(dtype or torch.float16).rpartition(".")[2])
            device_type, dtype = "cpu", torch.bfloat16
        original(self, device_type, dtype, *args, **named)

    autocast.__init__ = made


def _redirect_backend(torch: Any) -> None:
    """Lead processes that would talk by NCCL to Gloo."""
    if not torch.distributed.is_available():
        return
    original = torch.distributed.init_process_group

    @functools.wraps(original)
    def init_process_group(backend: Any = None, *args: Any, **named: Any) -> Any:
        if isinstance(backend, str) and "nccl" in backend:
            backend = "gloo"
        return original(backend, *args, **named)

    torch.distributed.init_process_group = init_process_group
