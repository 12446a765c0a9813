"""The page of the calculator, as plain data for its template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from advisor.app.speedup import PARTS_OF_CALL, Compared, compare
from advisor.base.errors import AdvisorError
from advisor.hardware.cpus import load_cpus
from advisor.hardware.gpus import load_gpus
from advisor.report.speedup import compared_document, compared_title, times_as_fast
from advisor.serve.asked import Asked, Pairs, to_copy
from advisor.serve.bars import Bar, bars
from advisor.serve.failing import status_of
from advisor.serve.served import Served
from advisor.throughput.arithmetic import ARITHMETICS
from advisor.throughput.functions import FUNCTIONS

FIRST = (("matmul", "4096"), ("gpu", "RTX A4000"), ("cpu", "Xeon Bronze 3104"))
"""What is shown before anything is asked: the first example of the command's help."""

_FIRST_FIELDS = {
    *("matmul", "elements", "function", "gflop", "precision", "calls"),
    *("gpu", "cpu", "cores", "clock"),
}


@dataclass(frozen=True, slots=True)
class SpeedupPage:
    """What the page of the calculator shows.

    Attributes
    ----------
    values : field -> what it holds
    document : of ``advisor speedup --json``; empty where nothing could be compared
    title, bars, factor, interval : of it, for people
    line : what is wrong; ``""``: nothing
    """

    values: Mapping[str, str]
    status: HTTPStatus = HTTPStatus.OK
    line: str = ""
    document: Mapping[str, Any] | None = None
    title: str = ""
    bars: Sequence[Bar] = ()
    factor: str = ""
    interval: str = ""
    others: Sequence[tuple[str, str]] = ()
    command: str = ""
    gpus: Sequence[str] = ()
    cpus: Sequence[str] = ()
    functions: Sequence[str] = tuple(FUNCTIONS)
    precisions: Sequence[str] = ARITHMETICS
    parts: Sequence[str] = PARTS_OF_CALL

    @property
    def is_detailed(self) -> bool:
        """Whether something is asked for that the form's first fields have not."""
        return not self.values.keys() <= _FIRST_FIELDS


def speedup_page(served: Served, given: Pairs) -> SpeedupPage:
    """Return the page that an address asks for; never raises what a user can meet."""
    line = served.command_line
    names: dict[str, Any] = {
        "gpus": [one.name for one in load_gpus().rows],
        "cpus": [one.name for one in load_cpus().rows],
    }
    asked, words = Asked("speedup", FIRST, {}), list[str]()
    try:
        if given:
            asked = Asked.of(line, "speedup", given)
        words = line.words("speedup", asked.pairs)
        compared = compare(line.speedup(words))
    except AdvisorError as error:
        said = line.line(error, ["speedup", *words])
        return SpeedupPage(asked.values(), status_of(error), said, **names)
    return SpeedupPage(asked.values(), **_answer(compared, words), **names)


def _answer(compared: Compared, words: Sequence[str]) -> dict[str, Any]:
    found = compared.found
    low, high = times_as_fast(found.low), times_as_fast(found.high)
    others = [("with the data on the GPU already", found.resident)]
    if found.work.calls > 1.0 and found.work.data_gb > 0.0:
        others.append(("with the data copied in every call", found.each))
    if compared.single is not None:
        others.append(("in FP32", compared.single.times))
    return {
        "document": compared_document(compared),
        "title": compared_title(compared),
        "bars": bars(found.times),
        "factor": times_as_fast(found.times.factor),
        "interval": f"{low} to {high}",
        "others": [(name, times_as_fast(one.factor)) for name, one in others],
        "command": to_copy("speedup", *words),
    }
