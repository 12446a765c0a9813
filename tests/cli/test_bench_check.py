"""`advisor bench --check`, `--read` and `compare`: figures beside what they should be."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.hostile import ATTACKS, dangers
from tests.measure.benches import LINES, document

Advisor = Callable[..., Any]
OFFER = 20010335
MARKET = ("--market", "sample")


@pytest.fixture
def kept(tmp_path: Path) -> Callable[..., str]:
    """Return what writes a result into a file, and the file's name."""

    def write(name: str = "host.json", **lines: tuple[float, str]) -> str:
        path = tmp_path / name
        changed = {key.replace("__", "."): value for key, value in lines.items()}
        path.write_text(json.dumps(document({**LINES, **changed})))
        return str(path)

    return write


def test_a_result_that_is_kept_is_shown_and_judged(
    advisor: Advisor, kept: Callable[..., str]
) -> None:
    """The table is that of a bench; what is below its kind is told under it."""
    done = advisor("bench", "--read", kept())
    assert done.exit_code == 0, done.stderr
    assert "gpu0.matmul.bf16" in done.stdout
    assert "as it should be" in done.stderr
    slow = advisor("bench", "--read", kept(gpu0__matmul__bf16=(82.0, "TFLOP/s")))
    assert "1 of 10 compared lines at fault: gpu0.matmul.bf16: 50%" in slow.stderr


def test_a_result_is_printed_as_it_is_read(
    advisor: Advisor, kept: Callable[..., str], conforms: Any
) -> None:
    """The document has every figure of the file, and is as its schema says."""
    done = advisor("bench", "--read", kept(), "--json")
    conforms("bench", done.document)
    assert [one["name"] for one in done.document["lines"]] == list(LINES)
    assert "check" not in done.document


def test_an_offer_stands_beside_what_was_measured(
    advisor: Advisor, kept: Callable[..., str]
) -> None:
    """Advertised, predicted, measured and a verdict per line, faults first."""
    done = advisor("bench", "--read", kept(), "--check", str(OFFER), *MARKET)
    assert done.exit_code == 0, done.stderr
    shown = done.stdout
    for column in ("advertised", "predicted", "measured", "verdict"):
        assert column in shown
    long = kept(train__resnet50__bf16__compiled__synthetic=(1500.0, "samples/s"))
    narrow = advisor(
        *("bench", "--read", long, "--check", str(OFFER), *MARKET),
        variables={"COLUMNS": "80"},
    )
    (head,) = [one for one in narrow.stdout.splitlines() if one.startswith("line")]
    assert head.split()[:4] == ["line", "advertised", "predicted", "measured"]
    assert shown.index("FAULT") < shown.index("gpu0.clock.sm")


def test_the_document_of_a_check_is_as_its_schema_says(
    advisor: Advisor, kept: Callable[..., str], conforms: Any
) -> None:
    """A verdict per line, with what the offer says where it says something."""
    words = ("--read", kept(), "--check", str(OFFER), *MARKET, "--json")
    done = advisor("bench", *words)
    conforms("bench", done.document)
    check = done.document["check"]
    assert check["offer_id"] == OFFER
    verdicts = {one["name"]: one for one in check["verdicts"]}
    assert set(LINES) <= set(verdicts)
    assert verdicts["cores.granted"]["advertised"] > 0.0
    assert verdicts["gpu0.clock.sm"]["predicted"] is None
    assert check["faults"] == sum(one["is_fault"] for one in check["verdicts"])


def test_an_offer_that_is_not_listed_is_an_error(
    advisor: Advisor, kept: Callable[..., str]
) -> None:
    """Before anything is measured, with what to do."""
    done = advisor("bench", "--read", kept(), "--check", "1", *MARKET)
    assert done.exit_code == 2
    assert "no offer 1 is listed" in done.stderr
    assert "advisor fetch -o" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--read", "x.json", "--full"), "--full"),
        (("--read", "x.json", "--seconds", "3"), "--seconds"),
        (("--read", "x.json", "-o", "y.json"), "--output"),
        (("--json", "compare", "x.json", "y.json"), "--json before 'compare'"),
        (("--read", "x.json", "compare", "x.json", "y.json"), "--read before 'compare'"),
        (("--market", "sample"), "add --check"),
        (("--max-age", "3"), "add --check"),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(
    advisor: Advisor, words: tuple[str, ...], said: str
) -> None:
    """It is said which, and nothing is measured."""
    done = advisor("bench", *words)
    assert done.exit_code == 2
    assert said in done.stderr


def test_a_file_that_is_no_result_is_an_error(advisor: Advisor, tmp_path: Path) -> None:
    """In one line that names it."""
    page = tmp_path / "page.json"
    page.write_text("<!DOCTYPE html>")
    for words in (("--read", str(page)), ("compare", str(page), str(page))):
        done = advisor("bench", *words)
        assert done.exit_code == 2
        assert "page.json is no result of a bench" in done.stderr


def test_two_results_stand_side_by_side(
    advisor: Advisor, kept: Callable[..., str], conforms: Any
) -> None:
    """What differs comes first, in the table and by its word in the document."""
    files = kept(), kept("slow.json", gpu0__matmul__bf16=(82.0, "TFLOP/s"))
    done = advisor("bench", "compare", *files)
    assert done.exit_code == 0, done.stderr
    assert done.stdout.splitlines()[2].split()[:3] == ["gpu0.matmul.bf16", "165", "82"]
    assert "1 of 14 lines in both differs" in done.stderr
    found = advisor("bench", "compare", *files, "--json").document
    conforms("bench-compare", found)
    (line,) = [one for one in found["lines"] if one["differs"]]
    assert line["words"] == "50% less"


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
def test_no_text_of_a_rented_machine_steers_the_terminal(
    advisor: Advisor, tmp_path: Path, attack: str
) -> None:
    """A stranger's result is shown, checked and compared without its control codes."""
    found = document(LINES, gpus=(attack,), cpu=attack)
    found["lines"][0] |= {"note": attack}
    path = tmp_path / "host.json"
    path.write_text(json.dumps(found))
    for words in (
        ("--read", str(path)),
        ("--read", str(path), "--check", str(OFFER), *MARKET),
        ("compare", str(path), str(path)),
    ):
        done = advisor("bench", *words)
        assert done.exit_code == 0, done.stderr
        assert not dangers(done.stdout)
        assert not dangers(done.stderr)
