"""The card's targets, and the section of what limits those that fall short."""

from __future__ import annotations

from typing import Any

from advisor.training.evaluate.card_limits import limits_section, targets_section
from advisor.training.evaluate.run import Evaluation
from advisor.training.evaluate.set_up import AS_IT_RAN, OTHER_PRECISION, OTHER_WORKLOADS


def figures(mape: float, coverage: float = 0.9) -> dict[str, Any]:
    """Return the figures of rows that err by `mape` each."""
    errors = dict.fromkeys(("mape", "median_ape", "p90_ape"), mape)
    return {**errors, "coverage90": coverage, "n": 20}


def evaluation(own: float, plain: float, coverage: float) -> Evaluation:
    """Return one of a set-up's runs and of two cards."""
    parts = {AS_IT_RAN: 0.07, OTHER_PRECISION: 0.31, OTHER_WORKLOADS: 0.45}
    result = Evaluation()
    result.splits["setup_one_run"] = {
        **figures(own, coverage),
        **{name: figures(mape) for name, mape in parts.items()},
    }
    result.baselines["setup_one_run"] = {
        "plain_scaling": {
            **figures(plain),
            **{name: figures(mape + 0.02) for name, mape in parts.items()},
        }
    }
    result.splits["source"] = {**figures(0.3), "level_known": figures(0.13)}
    result.by_gpu["gpu"] = {"RTX 4090": figures(0.148), "RTX 5090": figures(0.08)}
    result.by_gpu["pair"] = {"RTX 4090": figures(0.041)}
    result.offsets["RTX 4090"] = {"here": {**figures(0.148), "offset": -0.1}}
    result.offsets["RTX 5090"] = {"here": {**figures(0.08), "offset": 0.1}}
    return result


def line(text: str, *cells: str) -> str:
    """Return the line of a table that begins so."""
    (found,) = (
        one for one in text.splitlines() if one.startswith("| " + " | ".join(cells))
    )
    return found


def test_what_falls_short_is_marked() -> None:
    """An error too large, too little coverage, more error than plain scaling; no more."""
    text = targets_section(evaluation(own=0.2, plain=0.19, coverage=0.84))
    short = "**falls short**"
    assert short in line(text, "setup_one_run", "mape |")
    assert short in line(text, "setup_one_run", "coverage90")
    assert short in line(text, "setup_one_run", "mape, of plain scaling")
    assert short in line(text, "gpu", "RTX 4090: mape")
    assert short not in line(text, "gpu", "RTX 5090: mape")
    assert short not in line(text, "setup_one_run", "mape, as it ran")
    good = targets_section(evaluation(own=0.1, plain=0.1, coverage=0.95))
    assert short not in line(good, "setup_one_run", "mape |")
    assert short not in line(good, "setup_one_run", "coverage90")
    assert short not in line(good, "setup_one_run", "mape, of plain scaling")


def test_rows_of_other_workloads_stand_apart() -> None:
    """Each part has its own line, with plain scaling on the same rows."""
    text = limits_section(evaluation(own=0.2, plain=0.19, coverage=0.9))
    assert "| 31.0 % | 31.0 % | 20 | 33.0 %" in line(
        text, "setup_one_run", "in another precision"
    )
    assert "| 45.0 %" in line(text, "setup_one_run", "other workloads: no part")
    assert line(text, "source").endswith("| 13.0 % | 13.0 % | 20 |")


def test_the_offset_of_a_card_is_told_beside_that_of_others() -> None:
    """In percent by source, and in standard deviations of all cards."""
    text = limits_section(evaluation(own=0.2, plain=0.2, coverage=0.9))
    assert line(text, "RTX 4090", "here").endswith("| -9.5 % |")
    assert "the RTX 4090 is off by -0.7" in text
    assert "the RTX 4090 errs by 4.1 %" in text


def test_an_evaluation_of_few_splits_has_no_such_lines() -> None:
    """Where nothing was held out nothing is told, and nothing fails."""
    assert "setup" not in targets_section(Evaluation())
    assert "Too few cards" in limits_section(Evaluation())
