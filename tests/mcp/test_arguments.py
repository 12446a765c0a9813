"""Whatever a model sends as arguments is understood or refused in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from advisor.app.context import Context
from advisor.base.errors import AdvisorError, UsageError
from advisor.mcp.arguments import CAPS, check_known, rank_spec, rent_spec, run_spec
from advisor.mcp.arguments import given as given_of
from advisor.mcp.tools import Tool, tools

pytestmark = pytest.mark.slow

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=True, allow_infinity=True)
    | st.text(max_size=12)
    | st.sampled_from(["resnet50", "sample", "RTX 4090", "A100"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner)
    ),
    max_leaves=6,
)

GOOD: Mapping[str, Any] = {
    "workload": "resnet50",
    "gpu": "RTX 4090",
    "offer_id": 23122054,
    "offer_ids": [23122054, 20010335],
    "budget_usd": 5.0,
    "max_lifetime_s": 7200,
    "argv": ["true"],
    "folder": "/tmp",  # noqa: S108  (nothing is read there)
    "offline": True,
}
SPECS: Mapping[str, Callable[[Any], Any]] = {
    "rank": rank_spec,
    "rent": rent_spec,
    "run": run_spec,
}
READING = [pytest.param(one, id=one.name) for one in tools(read_only=True)]


def calls(tool: Tool) -> st.SearchStrategy[dict[str, Any]]:
    """Return calls of a tool that are right but for some arguments."""
    known = list(tool.takes["properties"])
    right = {key: value for key, value in GOOD.items() if key in known}
    odd = st.dictionaries(st.sampled_from(known), JSON, min_size=1, max_size=3)
    return odd.map(lambda wrong: dict(given_of({**right, **wrong})))


@pytest.mark.parametrize("name", SPECS)
@given(data=st.data())
def test_a_spec_is_made_or_the_argument_refused(name: str, data: st.DataObject) -> None:
    """Never another error; and no spec that pays lacks a cap."""
    (tool,) = (one for one in tools(read_only=False) if one.name == name)
    found = data.draw(calls(tool))
    try:
        spec = SPECS[name](found)
    except UsageError:
        return
    rent = getattr(spec, "rent", spec)
    if name != "rank":
        assert all(getattr(rent, cap) > 0 for cap in CAPS)


@pytest.mark.parametrize("tool", READING)
@settings(max_examples=25, suppress_health_check=[*HealthCheck])
@given(data=st.data())
def test_a_tool_answers_or_says_what_is_wrong(
    tool: Tool, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """An error of ours with a code, whatever the arguments are."""
    assert tool.read is not None
    folder = tmp_path_factory.getbasetemp()
    place = {"ADVISOR_DATA_DIR": str(folder), "ADVISOR_CACHE_DIR": str(folder)}
    context = Context(place, folder, folder, notify=lambda _: None)
    found = data.draw(calls(tool))
    try:
        answered = tool.read(context, {**found, "market": "sample"})["schema_version"]
    except AdvisorError as error:
        answered = error.code
    assert answered not in {"failed", None}


@given(st.dictionaries(st.text(max_size=12), JSON, min_size=1))
def test_an_argument_that_is_not_known_is_refused(found: dict[str, Any]) -> None:
    """A constraint that is silently dropped would be none."""
    for tool in tools(read_only=False):
        unknown = found.keys() - tool.takes["properties"].keys()
        if unknown:
            with pytest.raises(UsageError):
                check_known(found, tool.takes)
        else:
            check_known(found, tool.takes)


def test_a_relative_folder_is_refused() -> None:
    """The server's working folder is not the agent's to guess."""
    with pytest.raises(UsageError, match="whole path"):
        run_spec({**GOOD, "folder": str(Path("net"))})
