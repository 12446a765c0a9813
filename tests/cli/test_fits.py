"""What a command shows of one thing fits the terminal, and `explain` fits one screen."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import advisor
from advisor.report.bars import BLOCKS
from advisor.report.cells import width_of
from advisor.report.explanation import explained_text
from advisor.report.look import Look
from tests.conftest import REAL_DATA
from tests.hostile import ATTACKS, ODD_ID, dangers, save_market

Run = Callable[..., Any]
WIDTHS = ("80", "100", "120", "200")
SCREEN = 40
FIXTURES = Path(__file__).parents[2] / "fixtures" / "api"


def lines_of(outcome: Any) -> list[str]:
    """Return all that people see, but a path of their own that a remark names."""
    assert outcome.exit_code == 0, outcome.stderr
    lines = (outcome.stdout + outcome.stderr).splitlines()
    return [line for line in lines if ".json" not in line]


@pytest.fixture
def run(request: pytest.FixtureRequest) -> Run:
    """Return the command line; the package itself has its name."""
    found: Run = request.getfixturevalue("advisor")
    return found


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_market(tmp_path_factory.mktemp("hostile"))


@pytest.fixture(scope="module")
def search(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the market that a bundled answer of a search shows."""
    answer = json.loads((FIXTURES / "search.json").read_text(encoding="utf-8"))
    path = tmp_path_factory.mktemp("search") / "search.json"
    path.write_text(json.dumps(answer.get("body", answer)), encoding="utf-8")
    return str(path)


def best_and_worst(market: str, workload: str, rental: Any = "on-demand") -> Any:
    ranking = advisor.rank(workload, market=market, rental=rental)
    return ranking[0], ranking[len(ranking) - 1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("workload", "rental"),
    [
        ("resnet50", "on-demand"),
        ("resnet18", "interruptible"),
        ("llama-7b-lora", "reserved"),
        ("dlrm-small", "interruptible"),
    ],
)
def test_explain_is_one_screen(workload: str, rental: str) -> None:
    """No line is wider and no more than a screen's; of the best, and of the worst."""
    best, worst = best_and_worst("sample", workload, rental)
    for offer, width in ((worst, 80), *((best, int(width)) for width in WIDTHS)):
        text = explained_text(offer, look=Look(width))
        assert max(map(width_of, text.splitlines())) <= width
        assert 24 <= len(text.splitlines()) <= SCREEN, text


@pytest.mark.parametrize("width", WIDTHS)
def test_explain_fits_with_every_assumption(run: Run, width: str) -> None:
    """On more screens than one."""
    words = ("explain", "23122054", "resnet50", "--market", "sample")
    outcome = run(*words, "--all-assumptions", variables={"COLUMNS": width})
    assert max(map(width_of, lines_of(outcome))) <= int(width)
    assert len(outcome.stdout.splitlines()) > SCREEN


@pytest.mark.slow
def test_explain_of_hostile_offers_does_no_harm(hostile: str) -> None:
    """Their texts fit, and a terminal obeys none of them."""
    ranking = advisor.rank("resnet50", market=hostile)
    for attack in ("title", "right to left", "lines", "wide", "stacked", "long"):
        offer = ranking.find(ODD_ID + list(ATTACKS).index(attack))
        text = explained_text(offer, look=Look(80))
        assert max(map(width_of, text.splitlines())) <= 80
        assert dangers(text) == []
        assert len(text.splitlines()) <= SCREEN


def test_explain_of_a_search(search: str) -> None:
    """The best and the worst offer of a bundled answer."""
    for offer in best_and_worst(search, "resnet50"):
        text = explained_text(offer, look=Look(100))
        assert max(map(width_of, text.splitlines())) <= 100


@pytest.mark.slow
@pytest.mark.skipif(
    not REAL_DATA.is_dir(), reason="the folder of real data is not beside this checkout"
)
def test_explain_of_real_offers() -> None:
    """Of every file of them."""
    for market in sorted((REAL_DATA / "offers").glob("*.json")):
        for offer in best_and_worst(str(market), "resnet18"):
            lines = explained_text(offer, look=Look(80)).splitlines()
            assert max(map(width_of, lines)) <= 80
            assert len(lines) <= SCREEN


ALONE = (
    ("predict", "resnet50", "--gpu", "RTX 4090", "--num-gpus", "2", "--cpu", "EPYC 7702"),
    ("predict", "resnet18", "--gpu", "RTX A4000", "--cpu", "Xeon Bronze 3104"),
    ("predict", "bert-large", "--gpu", "RTX 3090", "--num-gpus", "8"),
    ("predict", "llama-8b-lora", "--gpu", "H100"),
    ("predict", "vit-b16", "--gpu", "RTX 3090", "--cpu", "x" * 300, "--cores", "8"),
    ("speedup", "--matmul", "4096", "--gpu", "RTX A4000", "--cpu", "Xeon Bronze 3104"),
    ("speedup", "--elements", "1e6", "--gpu", "T4", "--cores", "8", "--clock", "3.5"),
    ("image", "--offline"),
    ("image", "pytorch/pytorch:2.5.1-cuda12.4-cudnn9-runtime", "--offline"),
    ("image", f"{'long/' * 20}image:3", "--offline"),
)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("words", ALONE, ids=lambda words: " ".join(words)[:40])
def test_no_line_is_wider(run: Run, words: tuple[str, ...], width: str) -> None:
    """Of predictions, of one card and of a family, of speed-ups and of images."""
    outcome = run(*words, variables={"COLUMNS": width})
    assert max(map(width_of, lines_of(outcome))) <= int(width)
    assert dangers(outcome.stdout) == []


@pytest.mark.parametrize(
    "words",
    [("explain", "23122054", "resnet50", "--market", "sample"), ALONE[0], ALONE[5]],
    ids=lambda words: words[0],
)
def test_a_pipe_has_the_same_figures(run: Run, words: tuple[str, ...]) -> None:
    """Unwrapped, and with bars as at 80 columns."""
    piped = run(*words).stdout
    wide = run(*words, variables={"COLUMNS": "500"}).stdout
    bars = str.maketrans("", "", BLOCKS)
    assert piped.translate(bars).split() == wide.translate(bars).split()
    assert any(block in piped for block in BLOCKS)
