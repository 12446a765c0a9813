"""``python3 FILE --mode quick``: measure this machine, print one JSON document."""

from __future__ import annotations

import argparse
import json
import math
import signal
import sys
import time
from typing import Any

from advisor.measure.probe.addresses import is_web
from advisor.measure.probe.bench import Asked, bench
from advisor.measure.probe.budget import Budget
from advisor.measure.probe.lines import Result
from advisor.measure.probe.show import Show

_SECONDS = {"quick": 90.0, "full": 600.0}
_BYTES = {"quick": 1e9, "full": 8e9}
_INTERRUPTED = 130
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main(argv: list[str] | None = None) -> int:
    """Measure, print the document as the last line of stdout, return the exit code."""
    parsed = _parser().parse_args(argv)
    asked = Asked(mode=parsed.mode, folder=parsed.folder, urls=tuple(parsed.url))
    budget = Budget(
        parsed.seconds or _SECONDS[parsed.mode],
        _BYTES[parsed.mode] if parsed.bytes is None else parsed.bytes,
    )
    _meet_signals(budget)
    result, show = Result(asked.mode), Show(sys.stderr)
    result.begun_unix_s = time.time()
    try:
        bench(result, asked, budget, show)
    except KeyboardInterrupt:
        result.is_interrupted = True
    show.wipe()
    sys.stdout.write(f"{json.dumps(result.document(), allow_nan=False)}\n")
    sys.stdout.flush()
    return _INTERRUPTED if result.is_interrupted else 0


def _meet_signals(budget: Budget) -> None:
    """Have signals end the bench; those that are ignored (nohup) stay so."""

    def interrupted(_number: int, _frame: Any) -> None:
        for sign in _SIGNALS:  # what is cleared up now is not to be interrupted again
            signal.signal(sign, signal.SIG_IGN)
        budget.end()
        raise KeyboardInterrupt

    for sign in _SIGNALS:
        if signal.getsignal(sign) != signal.SIG_IGN:
            signal.signal(sign, interrupted)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bench", description="Measure this machine; print one JSON document."
    )
    parser.add_argument(
        "--mode", choices=tuple(_SECONDS), default="quick", help="how much is measured"
    )
    parser.add_argument("--seconds", type=_above_zero, help="stop after so long")
    parser.add_argument("--bytes", type=_number, help="write no more than that")
    parser.add_argument("--folder", help="folder on the disk that is measured")
    parser.add_argument(
        "--url",
        action="append",
        default=[],
        type=_web,
        help="download from it, into nothing; each is one more connection",
    )
    return parser


def _number(text: str) -> float:
    value = float(text)
    if not 0.0 <= value < math.inf:
        message = "a number of zero or more is expected"
        raise argparse.ArgumentTypeError(message)
    return value


def _above_zero(text: str) -> float:
    value = _number(text)
    if value == 0.0:
        message = "a number above zero is expected"
        raise argparse.ArgumentTypeError(message)
    return value


def _web(text: str) -> str:
    if not is_web(text):
        message = "an address with http:// or https:// and a host is expected"
        raise argparse.ArgumentTypeError(message)
    return text


if __name__ == "__main__":
    sys.exit(main())
