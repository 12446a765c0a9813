"""Single steps of a training, counted from one batch to the next."""

from __future__ import annotations

import threading
from contextlib import nullcontext
from typing import Any, Callable, Iterable

from .counting import Counting, Tally
from .nets import Nets
from .quiet import Notes


class Counter:
    """Has the operators of a step counted, when that is asked for.

    Where a loader feeds the training, counting begins and ends as a batch comes, not at
    the step of the optimizer itself: that may run within a compiled function, which sets
    back what of PyTorch's state was changed meanwhile.

    Parameters
    ----------
    torch : PyTorch
    notes : takes what could not be seen
    nets : sees calls of nets meanwhile
    part : returns the part of the step that is running
    parameters : returns all tensors that optimizers update
    """

    def __init__(
        self,
        torch: Any,
        notes: Notes,
        nets: Nets,
        part: Callable[[], str],
        parameters: Callable[[], Iterable[Any]],
    ) -> None:
        self._torch, self._notes, self._nets = torch, notes, nets
        self._part, self._parameters = part, parameters
        self._counting: Counting | None = None
        self._over: Counting | None = None
        self._is_due = False
        self.tries = 0

    @property
    def tally(self) -> Tally | None:
        """What is counted now; None: nothing is."""
        return None if self._counting is None else self._counting.tally

    def silent(self) -> Any:
        """Return a context in which nothing is counted, of what this thread does."""
        counting = self._counting
        if counting is None or counting.thread != threading.get_ident():
            return nullcontext()
        return counting.silent()

    def begin(self, *, is_fed: bool) -> None:
        """Count the step that begins, `is_fed`: from its first batch on."""
        self.tries += 1
        self._is_due = is_fed
        if not is_fed:
            self._start()

    def arrived(self) -> None:
        """Begin or end, now that a batch has come."""
        if self._over is not None:
            over, self._over = self._over, None
            over.stop()
        if self._is_due:
            self._is_due = False
            self._start()

    def end(self, *, is_fed: bool) -> Tally | None:
        """Return what was counted of the step that ends; None: nothing was."""
        counting, self._counting = self._counting, None
        if counting is None:
            return None
        self._nets.stop()
        counting.freeze()
        self._over = counting
        if not is_fed:
            self.arrived()
        return counting.tally

    def stop(self) -> None:
        """Count no more, at once."""
        self._is_due = False
        self.end(is_fed=False)
        self.arrived()

    def _start(self) -> None:
        self._notes.quietly("What a step costs")(self._start_counting)()

    def _start_counting(self) -> None:
        owned = {
            one.untyped_storage().data_ptr()
            for one in self._parameters()
            if one.device.type != "meta"
        }
        counting = Counting(self._torch, self._part, owned, self._notes.add)
        try:
            counting.start()
        except Exception:
            counting.stop()
            raise
        self._counting = counting
        self._nets.start()
