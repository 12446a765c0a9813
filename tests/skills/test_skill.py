"""The skill for agents is in the form that installers take, and its answers hold."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest

from advisor.app.context import Context
from advisor.base.clock import Clock

SKILL = Path(__file__).parents[2] / "skills" / "advisor"
QUESTIONS = json.loads((SKILL / "references" / "questions.json").read_text("utf-8"))
ASKED = [
    pytest.param(one, id=f"{number}. {one['question']}")
    for number, one in enumerate(QUESTIONS["questions"], 1)
]
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def front_matter() -> dict[str, str]:
    """Return the fields at the top of the skill: one line of YAML each."""
    _, head, _ = (SKILL / "SKILL.md").read_text("utf-8").split("---\n", 2)
    found = dict(re.findall(r"^([a-z]+): (.+)$", head, re.MULTILINE))
    assert len(found) == len(head.splitlines())
    return found


def test_the_skill_has_the_form_that_installers_take() -> None:
    """Agent Skills: a name that is the folder's, and a description that says when."""
    found = front_matter()
    assert set(found) <= {"name", "description", "license", "compatibility"}
    assert found["name"] == SKILL.name
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", found["name"])
    assert len(found["description"]) <= 1024
    assert "Use when" in found["description"]
    assert len(found.get("compatibility", "")) <= 500
    # A plain scalar of YAML holds neither of these.
    assert not [one for one in found.values() if ": " in one or " #" in one]


def test_the_body_is_short_and_leads_somewhere() -> None:
    """What is looked up lies in references, one step away."""
    text = (SKILL / "SKILL.md").read_text("utf-8")
    assert len(text.splitlines()) < 100
    linked = set(re.findall(r"\]\(([^)]+)\)", text))
    assert linked
    assert all((SKILL / link).is_file() for link in linked)


def test_the_questions_conform_to_their_schema() -> None:
    """Twenty of them, each asked once."""
    schema = json.loads(
        (SKILL / "references" / "questions.schema.json").read_text("utf-8")
    )
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(QUESTIONS)
    assert len({one["question"] for one in QUESTIONS["questions"]}) == 20


@pytest.mark.parametrize("asked", ASKED)
def test_the_answer_holds(
    asked: Mapping[str, Any], tmp_path: Path, run_command: Callable[..., Any]
) -> None:
    """The command exits as it should, its JSON has the answer, and all checks hold."""

    def refuse(request: httpx.Request) -> httpx.Response:
        raise AssertionError(request.url)

    context = Context(
        variables={"ADVISOR_DATA_DIR": str(tmp_path), "ADVISOR_CACHE_DIR": str(tmp_path)},
        home=tmp_path,
        folder=tmp_path,
        transport=httpx.MockTransport(refuse),
        clock=Clock(now=lambda: NOW),
    )
    done = run_command(asked["command"], context)
    assert done.exit_code == asked.get("exit_code", 0), done.stderr
    assert list(values(done.document, asked["answer"]))
    for check in asked["checks"]:
        assert holds(done.document, check), check


def values(document: Any, path: str) -> Iterator[Any]:
    """Yield what a path leads to: ``offers[0].rank``, of each item ``offers[].rank``."""
    found = [document]
    for name, index in re.findall(r"([^.\[\]]+)|\[(\d*)\]", path):
        if name:
            found = [one[name] for one in found]
        elif index:
            found = [one[int(index)] for one in found]
        else:
            found = [item for one in found for item in one]
    yield from found


def holds(document: Any, check: Mapping[str, Any]) -> bool:
    """Say whether a check holds: of each value of a path with ``[]``, one at least.

    What is of the items together (has, length, rises) is of all of them.
    """
    ((kind, meant),) = ((key, one) for key, one in check.items() if key != "path")
    found = list(values(document, check["path"]))
    several = "[]" in check["path"]
    if kind == "rises":
        ordered = sorted(found, reverse=not meant)
        return len(found) > 1 and found == ordered
    if kind == "has":
        return meant in (found if several else found[0])
    if kind == "length":
        return len(found if several else found[0]) == meant
    if kind in {"to_path", "key_of"}:
        (meant,) = values(document, meant)
    one_holds: Mapping[str, Callable[[Any], bool]] = {
        "is": lambda one: one == meant and type(one) is type(meant),
        "from": lambda one: one >= meant,
        "to": lambda one: one <= meant,
        "to_path": lambda one: one <= meant,
        "key_of": lambda one: one in meant,
    }
    return bool(found) and all(map(one_holds[kind], found))


@pytest.mark.parametrize(
    "check",
    [
        {"path": "offers[].rank", "is": 2},
        {"path": "offers[].rank", "from": 2},
        {"path": "offers[].rank", "to": 2},
        {"path": "offers[].rank", "rises": False},
        {"path": "offers[].rank", "has": 4},
        {"path": "offers", "length": 2},
        {"path": "offers[0].rank", "to_path": "least"},
        {"path": "offers[0].rank", "key_of": "limits"},
        {"path": "true", "is": 1},
        {"path": "none[].rank", "from": 0},
    ],
    ids=str,
)
def test_a_check_can_fail(check: Mapping[str, Any]) -> None:
    """Each kind of it, and one of no value at all."""
    ranks = [{"rank": rank} for rank in (1, 2, 3)]
    document = {"offers": ranks, "least": 0, "limits": {}, "true": True, "none": []}
    assert not holds(document, check)
