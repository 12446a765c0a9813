"""How fast the GPUs are, and what a training step takes on them."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from advisor.measure.probe.gpu.cards import card_lines
from advisor.measure.probe.gpu.smi import ask_cards
from advisor.measure.probe.lines import Skipped

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from advisor.measure.probe.lines import Result


def measure_gpu(
    result: Result,
    mode: str,
    deadline: float,
    progress: Callable[[str, float], object],
    *,
    pictures: Sequence[str] = (),
    cores: int = 1,
) -> None:
    """Measure the GPUs; without one, a training step on the CPU.

    Lines go to ``result.lines`` as they come, what is not measured to
    ``result.skipped``. Nothing is raised but what the user causes (Ctrl-C).

    Parameters
    ----------
    result : of this bench, after `check_fit`
    mode : ``quick`` (under a minute) or ``full``
    deadline : by `time.monotonic`; what is not done then is left out
    progress : is called with what is measured now and the share that is done, 0 to 1
    pictures : paths of JPEG files for the steps that are fed from files
    cores : granted to this process, for the DataLoader's workers
    """
    for number, card in enumerate(ask_cards().cards):
        result.lines += card_lines(f"gpu{number}", card)
    if importlib.util.find_spec("torch") is None:
        result.skipped.append(Skipped("gpu", "PyTorch is not installed"))
        return
    progress("GPU", 1.0)
