"""The page of the calculator: the figures of `speedup --json`, and its chart."""

from __future__ import annotations

import html
import re
import shlex
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlencode

import pytest

from advisor.base.figures import duration
from advisor.cli.words import ThisCommandLine
from advisor.report.speedup import times_as_fast
from advisor.serve.bars import bars
from advisor.throughput.speedup import Times

SEED = {"matmul": "4096", "gpu": "RTX A4000", "cpu": "Xeon Bronze 3104"}
CASES = (
    SEED,
    {"elements": "1e6", "function": "sin", "gpu": "T4", "cores": "8", "clock": "3.5"},
    {"gflop": "1e5", "data_gb": "500", "gpu": "RTX 3080", "cpu": "Xeon E5-2640 v3"},
    {**SEED, "calls": "100", "copies": "call", "parallel": "0.9", "precision": "fp32"},
)


def words_of(fields: dict[str, str]) -> Sequence[str]:
    return ThisCommandLine().words("speedup", tuple(fields.items()))


@pytest.mark.parametrize("fields", CASES)
def test_the_figures_are_those_of_the_command(
    browser: Any, advisor: Callable[..., Any], fields: dict[str, str]
) -> None:
    """The verdict, the factor with its interval, and both bars."""
    document = advisor("speedup", *words_of(fields), "--json").document
    text = html.unescape(browser.get(f"/speedup?{urlencode(fields)}").text)
    verdict = document["verdict"]
    assert f'<h1 id="answer">{verdict[0].upper()}{verdict[1:]}</h1>' in text
    assert f"<strong>{times_as_fast(document['speedup'])}</strong>" in text
    low, high = (times_as_fast(document[f"speedup_{one}"]) for one in ("low", "high"))
    assert f"{low} to {high} in nine cases of ten" in text
    assert f"CPU alone: {duration(document['cpu_s'])}" in text
    assert f"with the GPU: {duration(document['gpu_s'])}" in text
    for name in document["assumptions"]:
        assert f"<code>{name}</code>" in text


def test_the_command_to_copy_gives_the_same(
    browser: Any, advisor: Callable[..., Any]
) -> None:
    """It is what was asked, quoted."""
    text = browser.get(f"/speedup?{urlencode(SEED)}").text
    (command,) = re.findall(r'class="words">(.*?)</code>', text)
    words = shlex.split(html.unescape(command))
    assert words[0] == "advisor"
    assert advisor(*words[1:], "--json").document == (
        advisor("speedup", *words_of(SEED), "--json").document
    )


def test_there_is_an_example_before_anything_is_asked(browser: Any) -> None:
    """The first example of the command's help."""
    text = browser.get("/speedup").text
    assert 'name="matmul" value="4096"' in text
    assert "CPU alone: " in text


@pytest.mark.parametrize(
    "fields",
    [
        {**SEED, "gflop": "3"},
        {**SEED, "gpu": "RTX 3O80"},
        {**SEED, "cpu": "Foo 9"},
        {**SEED, "matmul": "axb"},
        {**SEED, "parallel": "1.5"},
        {**SEED, "calls": "-1"},
        {**SEED, "precision": "fp8"},
        {"gpu": "T4", "cores": "8", "clock": "3"},
        {"matmul": "9" * 5000, "gpu": "T4", "cores": "8", "clock": "3"},
        {"matmul": "4096", "cpu": "Xeon Bronze 3104"},
    ],
)
def test_what_cannot_be_is_told_as_the_command_tells_it(
    browser: Any, advisor: Callable[..., Any], fields: dict[str, str]
) -> None:
    """One line, the same, and the form to mend it."""
    outcome = advisor("speedup", *words_of(fields))
    assert outcome.exit_code == 2
    answer = browser.get(f"/speedup?{urlencode(fields)}")
    assert answer.status_code == 400
    (line,) = re.findall(r'class="problem" role="alert">(.*?)</p>', answer.text)
    message = html.unescape(line).partition(" See 'advisor")[0]
    assert message in " ".join(outcome.stderr.split())
    assert 'name="matmul"' in answer.text


def test_the_bars_are_on_one_scale() -> None:
    """The longer side fills it, parts follow one another, what cannot be seen is out."""
    cpu, gpu = bars(Times(1.0, 3.0, 0.5, 0.25, 1.0, 1e-5))
    assert [one.name for one in cpu.segments] == ["serial", "parallel"]
    assert (cpu.segments[-1].start, cpu.segments[-1].length) == (25.0, 75.0)
    names = [one.name for one in gpu.segments]
    assert names == ["serial", "compute", "transfer", "start_up"]
    last = gpu.segments[-1]
    assert last.start + last.length == pytest.approx(gpu.end)
    assert gpu.end == pytest.approx(100.0 * 2.75001 / 4.0)
    assert cpu.end == 100.0
