"""All that is seen of one process: the hooks call it, and it knows which step it is."""

from __future__ import annotations

import os
import threading
import time
import weakref
from typing import Any, Callable, Iterator

from .counted import Counter
from .counting import BACKWARD, FORWARD, OPTIMIZER, RECOMPUTED
from .gpu import Gpu
from .loading import Loaders, LoaderWatch
from .nets import Nets, numbers, optimizer_of, parameters_of
from .observation import Optimizer
from .quiet import Notes
from .record import Record
from .settings import Settings
from .stopping import Stopping
from .windows import COUNT, PROFILE, SETTLE, TIMED, WARM_UP, Plan, Window

_MOST_TRIES = 3
"""Times as many steps as are to be counted, after which no more are tried."""


class Session:
    """What happens in one process, step by step.

    Parameters
    ----------
    torch : PyTorch
    settings : what is asked
    """

    def __init__(self, torch: Any, settings: Settings) -> None:
        self.torch, self.settings = torch, settings
        self.notes = Notes()
        self.plan = Plan.of(settings.steps, settings.seconds)
        self.write: Callable[[], None] = lambda: None
        self._task = getattr(torch._C, "_current_graph_task_id", int)  # noqa: SLF001
        self.nets = Nets(torch, lambda: self._backward > 0, self._net_called)
        self.counter = Counter(torch, self.notes, self.nets, self._part, self._parameters)
        self.loaders = Loaders(
            settings.folder,
            self._arrived,
            self.counter.silent,
            lambda: self.counter.tally is not None,
            self.notes,
        )
        self._quietly_profiled = self.notes.quietly("The kernels of a step on the GPU")
        self._quiet_boundary = self.notes.quietly("A step")(self._boundary)
        self._reset()

    def begin_anew(self) -> None:
        """See nothing of what the parent did: this process has just been forked."""
        self.notes.quietly("The parent's counting")(self.counter.stop)()
        self.loaders.begin_anew()
        self._reset()

    def _reset(self) -> None:
        settings = self.settings
        self.record = Record()
        self.gpu = Gpu(self.torch)
        self.stopping = Stopping(
            settings.steps, settings.seconds, settings.folder, self._stopped
        )
        self.pid = os.getpid()
        self.started = time.perf_counter()
        self._begun: float | None = None
        self._phase, self._in_phase, self._phase_began = WARM_UP, 0, self.started
        self._window = Window(self.started)
        self._usual: set[Any] | None = None
        self._backward = self._makes_graph = 0
        self._in_step = self._in_closure = 0
        self._last_loader: LoaderWatch | None = None
        self._thread: int | None = None
        self._main: Any = None
        self._sizes: Any = weakref.WeakKeyDictionary()
        self._made: Any = weakref.WeakKeyDictionary()
        self.optimizers: list[Optimizer] = []

    # What the hooks call.

    def before_step(self, _: Any, args: Any, named: Any) -> Any:
        """See a step of an optimizer begin; return its arguments where they change."""
        self._in_step += 1
        closure = args[1] if len(args) > 1 else named.get("closure")
        if not callable(closure):
            return None

        def seen() -> Any:
            self._in_closure += 1
            try:
                return closure()
            finally:
                self._in_closure -= 1

        if len(args) > 1:
            return (args[0], seen, *args[2:]), named
        return args, {**named, "closure": seen}

    def after_step(self, optimizer: Any) -> None:
        """See a step of an optimizer end; that of the main one ends a window."""
        self._in_step = max(self._in_step - 1, 0)
        self._made[optimizer] = self._made.get(optimizer, 0) + 1
        if optimizer not in self._sizes:
            self._sizes[optimizer] = sum(map(numbers, parameters_of(optimizer)))
        main = self._main() if self._main is not None else None
        if main is None or self._sizes[optimizer] > self._sizes[main]:
            self._main, main = weakref.ref(optimizer), optimizer
        if main is not optimizer:
            self._window.other_stepped()
        else:
            self._thread = threading.get_ident()
            self._quiet_boundary()
            rank, world = self.gpu.rank_and_world()
            self.stopping.check(self.record.steps, rank, world)

    def steps_of(self, optimizer: Any) -> int:
        """Return how many steps an optimizer has made."""
        return int(self._made.get(optimizer, 0))

    def scaled(self, was_skipped: bool) -> None:
        """See a step of a gradient scaler; one that it leaves out begins a new window."""
        self.record.scaler = True
        if was_skipped:
            self.record.skipped += 1
            self._drop_window()

    def before_backward(self, is_backward: bool, makes_graph: bool) -> None:
        """See a pass through autograd begin."""
        if is_backward and self._backward == 0:
            self._begin()
            self._window.passed_back(in_closure=self._in_closure > 0)
            if self._last_loader is not None:
                self._last_loader.credit += 1
        self._backward += 1
        self._makes_graph += makes_graph

    def after_backward(self, is_backward: bool) -> None:
        """See a pass through autograd end."""
        self._backward -= 1
        if self._backward == 0:
            self._makes_graph = 0
            if is_backward and (tally := self.counter.tally) is not None:
                tally.passed_back()

    def compiled(self, named: dict[str, Any]) -> None:
        """See ``torch.compile`` called."""
        compiled = self.record.compiled
        compiled.calls += 1
        backend, mode = named.get("backend"), named.get("mode")
        compiled.mode = mode if isinstance(mode, str) else None
        if backend is not None:
            name = getattr(backend, "__name__", type(backend).__name__)
            compiled.backend = backend if isinstance(backend, str) else name

    def cuda_asked(self) -> None:
        """See CUDA asked for where there is none."""
        self.record.cuda_asked += 1

    def redirected(self, tensor: Any) -> None:
        """See something that was for a GPU led to the CPU, a copied tensor or another."""
        self.record.redirected += 1
        tally = self.counter.tally
        if tally is not None and tensor is not None and not tensor.requires_grad:
            tally.h2d_bytes += float(tensor.numel() * tensor.element_size())
            tally.h2d_copies += 1

    def autocast_asked(self, dtype: str) -> None:
        """See an autocast for CUDA that was led to the CPU's."""
        self.record.autocast = ("cuda", dtype)

    # What the parts call.

    def _arrived(
        self, loader: LoaderWatch, samples: float | None, said_by: str, wait_s: float
    ) -> None:
        """Take note of a batch that came."""
        self._begin()
        self._last_loader = loader
        window = self._window
        window.add(loader, samples)
        if self._thread not in {None, threading.get_ident()}:
            self.record.is_threaded = True  # the loop waits for that thread, unseen
        else:
            self.counter.arrived()
            window.wait_s += wait_s
        self.record.samples_from = said_by if samples is not None else None
        if self._phase == TIMED and self.gpu.is_used:
            window.arrivals += 1
            window.idle_arrivals += self.gpu.is_idle()

    def _net_called(self) -> None:
        if self._window.first_call_s is None:
            self._window.first_call_s = time.perf_counter() - self._window.started

    def _part(self) -> str:
        """Return the part of a step that runs now."""
        if self._backward:
            again = self.torch.is_grad_enabled() and not self._makes_graph
            again = again and self._task() != -1  # within a node of the graph
            return RECOMPUTED if again else BACKWARD
        return OPTIMIZER if self._in_step and not self._in_closure else FORWARD

    def _stopped(self, reason: str) -> None:
        self.record.stopped_after = reason
        self.notes.quietly("The end of counting")(self.counter.stop)()
        if self._phase == TIMED and self.gpu.is_used:
            self.notes.quietly("The end of timing")(self.gpu.synchronize)()
            self.record.timed_until = time.perf_counter()
        self.write()

    def _begin(self) -> None:
        """Have the time that is given run."""
        if self._begun is None:
            self._begun = time.perf_counter()
            self.stopping.begin()

    # Steps.

    def _boundary(self) -> None:
        """End the window at a step of the main optimizer, and begin the next."""
        self.record.steps += 1
        window, now = self._window, time.perf_counter()
        is_usual = self._is_usual(window)
        training = self.loaders.training()
        if self._phase in {WARM_UP, COUNT, SETTLE, TIMED} and is_usual:
            self.record.add(window, training, is_first=self.record.steps == 1)
        if self._phase == TIMED:
            if is_usual:
                self.record.time(window, training, now - window.started)
            else:
                self.record.not_timed += now - window.started
        elif self._phase == COUNT:
            self._end_counted_step(window, training, is_usual=is_usual)
        self._in_phase += 1
        self._advance(window, training, now)
        self.gpu.mark()
        self.write()
        self._window = Window(time.perf_counter())
        if self._phase == TIMED:
            if self._in_phase:
                self.record.not_timed += self._window.started - now
            else:
                self.record.timed_from = self._window.started

    def _drop_window(self) -> None:
        """Begin a window anew, since the last was no whole step."""
        if self._phase == COUNT:
            self.counter.end(is_fed=self._is_fed)
            self.counter.begin(is_fed=self._is_fed)
        if self._phase == TIMED:
            self.record.not_timed += time.perf_counter() - self._window.started
        self._window = Window(time.perf_counter())

    def _is_usual(self, window: Window) -> bool:
        """Say whether a window drew from the loaders of the training and no others.

        Others are those of an evaluation. Which are the training's is what the first
        windows have in common.
        """
        drawn = set(window.batches)
        if self._phase == WARM_UP and drawn:
            self._usual = drawn if self._usual is None else self._usual & drawn
            return drawn == self._usual
        return drawn <= (self._usual or drawn)

    def _advance(self, window: Window, training: Any, now: float) -> None:
        """Go to what follows the phase, if it is over."""
        spent, plan = now - self._phase_began, self.plan
        since = now - (self._begun or now)
        if self._phase == WARM_UP and plan.is_warm(self.record.steps, since):
            self.record.warm_up = self.record.steps
            self._enter(COUNT)
            self.counter.begin(is_fed=self._is_fed)
        elif self._phase == COUNT:
            over = plan.is_counted(self.record.counted.steps, spent)
            if over or self.counter.tries >= plan.counted * _MOST_TRIES:
                self._describe()
                self._enter(PROFILE if self.gpu.is_used else SETTLE)
                if self._phase == PROFILE:
                    self._quietly_profiled(self.gpu.start_profiling)()
            else:
                self.counter.begin(is_fed=self._is_fed)
        elif self._phase == PROFILE:
            kernels = self._quietly_profiled(self.gpu.stop_profiling)()
            self.record.counted.kernels_profiled = kernels
            self._enter(SETTLE)
        elif self._phase == SETTLE:
            batches = max(sum(window.batches.values()), 1)
            queued = (training.queued if training is not None else 0.0) / batches
            if plan.is_settled(self._in_phase, queued, spent):
                self.gpu.synchronize()
                self._enter(TIMED)

    def _enter(self, phase: str) -> None:
        self._phase, self._in_phase = phase, 0
        self._phase_began = time.perf_counter()

    # Counting.

    @property
    def _is_fed(self) -> bool:
        """Whether a loader feeds the training, in its own thread."""
        return bool(self._usual) and not self.record.is_threaded

    def _parameters(self) -> Iterator[Any]:
        """Yield all tensors that optimizers update."""
        for optimizer in list(self._sizes):
            yield from parameters_of(optimizer)

    def _end_counted_step(self, window: Window, training: Any, *, is_usual: bool) -> None:
        tally = self.counter.end(is_fed=self._is_fed)
        if tally is None or not is_usual:
            return
        samples = window.samples.get(training) if training is not None else None
        if training is None:
            samples = self._called_with(window)
        batches = window.batches.get(training, 0)
        self.record.count(tally, window, batches, samples)
        if window.first_call_s is not None:
            self.record.before_forward.append(window.first_call_s)

    def _called_with(self, window: Window) -> float | None:
        """Return the samples of a step by what the net was called with."""
        rows = [one.rows for one in self.nets.every.values() if one.rows is not None]
        if not rows:
            return None
        self.record.samples_from = "model"
        self.record.rows = float(rows[0])
        return float(rows[0]) * max(window.added, 1)

    def _describe(self) -> None:
        """Write down the nets and what they compute in."""
        main = self._main()
        trained = {id(one) for one in parameters_of(main)} if main is not None else set()
        steps = self.record.counted.steps
        describe = self.notes.quietly("The net")(self.nets.describe)
        describe(steps, trained)
        if self.record.autocast is None:
            self.record.autocast = self.nets.autocast
        self.record.device = self._device(main)
        self.describe_optimizers()

    def _device(self, main: Any) -> str:
        kinds = [one.device.type for one in parameters_of(main)] if main else []
        return max(set(kinds), key=kinds.count) if kinds else "cpu"

    def describe_optimizers(self) -> None:
        """Write down the optimizers that made steps.

        Those that are gone, as all are once the program's function has returned, stay as
        they were last written down.
        """
        main = self._main() if self._main is not None else None
        alive = [
            optimizer_of(one, is_main=one is main, steps=self.steps_of(one))
            for one in list(self._made)
        ]
        if len(alive) >= len(self.optimizers):
            self.optimizers = alive
