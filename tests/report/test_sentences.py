"""Answers come first, in the words of the question, and look as their meaning does."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import pytest

import advisor
from advisor.app.predict import Prediction, predict
from advisor.report.advised import advice_lines
from advisor.report.explanation import duration_span, explained_text
from advisor.report.look import Look
from advisor.report.predicted import predicted_text, several_text
from advisor.report.sentences import amount, bottleneck_answers, dollars, time_text
from advisor.throughput.bottleneck import Degree

UNKNOWN = "neither its name nor its threads are given"


@lru_cache
def weak() -> Prediction:
    return predict(
        "resnet18", "RTX A4000", cpu="Intel Xeon Bronze 3104", threads=6, runs=()
    )


def answers(degree: Degree, waits: float, enough: int | None = 18) -> list[str]:
    """Return the answers of a machine whose CPU is so much of a bottleneck."""
    cpu, *others = weak().advice.bottlenecks
    cpu = replace(cpu, degree=degree, gpu_waits=waits, headroom=4.94)
    advice = weak().advice
    return bottleneck_answers(
        replace(advice, bottlenecks=(cpu, *others), enough_threads=enough)
    )


@pytest.mark.parametrize(
    ("degree", "waits", "enough", "answer"),
    [
        ("no", 0.01, 4, "No: it could feed 4.9 x as much; 4 of its 6 threads would do."),
        ("no", 0.01, None, "No: it could feed 4.9 x as much."),
        (
            *("mild", 0.1, 9),
            "Mildly: the GPU waits 10 % {}; 9 threads would do, it has 6.",
        ),
        (
            *("yes", 0.4, 2),
            "Yes: the GPU waits 40 % {}; more threads are no help.",
        ),
        (
            *("unknown", 0.4, 12),
            f"Unknown: {UNKNOWN}; about 12 of a usual one's threads would do.",
        ),
    ],
)
def test_the_question_is_answered(
    degree: Degree, waits: float, enough: int | None, answer: str
) -> None:
    """Yes, mildly, no or unknown, and how many threads would do."""
    assert answers(degree, waits, enough)[0] == (
        "Is the CPU a bottleneck? " + answer.format("of the time, for its input pipeline")
    )


def test_other_parts_are_told_in_a_line() -> None:
    """The worst first; what does not limit at all is no question."""
    found = predict("bert-large", "RTX 3090", 8, cpu="AMD EPYC 7763", runs=())
    (_, line) = bottleneck_answers(found.advice)
    assert line.startswith("The all-reduce of gradients? Yes: the GPU waits ")
    assert "Host-to-device copies? No." in line
    assert line.endswith("The disk? Unknown.")
    alone = predict("bert-large", "RTX 3090", 1, cpu="AMD EPYC 7763", runs=())
    assert "gradients" not in bottleneck_answers(alone.advice)[1]


def test_a_terminal_without_blocks_gets_ascii() -> None:
    """Bars and all else, of an offer and of a prediction."""
    offer = advisor.rank("resnet50", market="sample")[0]
    plain = Look(80, blocks=False)
    assert explained_text(offer, look=plain).isascii()
    assert predicted_text(weak(), plain).isascii()


def test_answers_look_as_their_meaning_does() -> None:
    """What was asked for, or what is to be thought of; nothing else has a color."""
    marked = Look(80, style=lambda meaning, text: f"<{meaning}>{text}")
    lines = predicted_text(weak(), marked).splitlines()
    assert lines[0].startswith("<caution>Is the CPU a bottleneck? Yes: ")
    assert sum(line.startswith("<") for line in lines) == lines.index("")
    assert several_text([weak()], marked).startswith("<answer>The fastest is ")
    offer = advisor.rank("resnet50", market="sample")[0]
    assert explained_text(offer, look=marked).startswith("<answer>Offer ")


def test_advice_for_a_page_has_the_same_answers() -> None:
    """As pairs; each change with its time, and its cost where there is a price."""
    found = weak()
    lines = dict(advice_lines(found.advice, found.epoch_h))
    assert lines["bottleneck"] == " ".join(bottleneck_answers(found.advice))
    assert "12 more threads: 13 min per epoch, " in lines["would help"]
    offers = advisor.rank("resnet18", market="sample")[:20]
    priced = [dict(advice_lines(one.advice(), one.epoch_h)) for one in offers]
    assert any(" and $0.0" in lines["would help"] for lines in priced)


def test_figures_that_nobody_can_read_are_powers_of_ten() -> None:
    """A bid that is lost all the time has a cost beyond counting."""
    assert [amount(value) for value in (0.0481, 26700.0, 3e9, None)] == [
        *("0.0481", "26,700", "3e+09", "?"),
    ]
    assert [dollars(value) for value in (0.0481, 4.3, 3e9)] == ["0.0481", "4.30", "3e+09"]
    assert [time_text(hours) for hours in (0.1, 30.0, 1e9)] == [
        "6 min",
        "30 h",
        "1e+09 h",
    ]
    assert duration_span(0.06, 0.2) == "3.6 - 12 min"
    assert duration_span(0.06, 12.0) == "3.6 min - 12 h"
