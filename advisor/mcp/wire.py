"""What goes over the wire: tools as they are described, questions, and answers."""

from __future__ import annotations

import json
import traceback
from collections.abc import Mapping
from typing import Any, TypeAlias

from mcp import types
from mcp.server import ServerRequestContext

from advisor.base.errors import AdvisorError
from advisor.mcp.tools import Tool
from advisor.mcp.untrusted import DATA, Guard
from advisor.mcp.work import Document, Question
from advisor.report.failure import INTERNAL, INTERRUPTED, SYSTEM, Failure

Call: TypeAlias = ServerRequestContext[Any, Any]
"""A request and the client that it is of."""

CONFIRM = "confirm"
"""Name of the one question of a call, and of its one field."""

_MOST_NOTES = 50


def described(tool: Tool) -> types.Tool:
    """Return a tool as a client lists it."""
    reads = tool.read is not None
    return types.Tool(
        name=tool.name,
        title=tool.title,
        description=tool.told,
        input_schema=dict(tool.takes),
        output_schema=dict(tool.answers()),
        annotations=types.ToolAnnotations(
            title=tool.title,
            read_only_hint=reads,
            destructive_hint=not reads,
            idempotent_hint=reads,
            open_world_hint=tool.is_open_world,
        ),
    )


def can_ask(context: Call) -> bool:
    """Say whether the client says that it can ask its user.

    One that names no kind of question can show a form: there was no other before.
    """
    capabilities = context.session.client_capabilities
    asks = None if capabilities is None else capabilities.elicitation
    return asks is not None and (asks.form is not None or asks.url is None)


def form(question: Question) -> dict[str, Any]:
    """Return what the user fills in: an empty form that is sent off is no yes."""
    yes = {"type": "boolean", "title": question.verb, "default": False}
    return {"type": "object", "properties": {CONFIRM: yes}, "required": [CONFIRM]}


def is_yes(result: object) -> bool:
    """Say whether an answer of the user's allows it; nothing but a tick does."""
    return (
        isinstance(result, types.ElicitResult)
        and result.action == "accept"
        and (result.content or {}).get(CONFIRM) is True
    )


def answered(
    guard: Guard,
    document: Document | None,
    error: BaseException | None,
    notes: list[str],
) -> types.CallToolResult:
    """Return what a call answers: a document, and whether it tells of a failure."""
    if document is None:
        document = _failure(error).document()
    plain: Mapping[str, Any] = guard.document(document)
    lines = notes if len(notes) <= _MOST_NOTES else [*notes[:_MOST_NOTES], "..."]
    texts = [DATA, json.dumps(plain, allow_nan=False), *lines]
    return types.CallToolResult(
        content=[types.TextContent(text=one) for one in texts],
        structured_content=plain,
        is_error="error" in plain,
    )


def _failure(error: BaseException | None) -> Failure:
    """Return what a failure says, as `advisor.cli.failure` says it."""
    if isinstance(error, AdvisorError):
        return Failure.of(error)
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    message = " ".join(str(error).split())
    if isinstance(error, OSError):
        return Failure(SYSTEM, message)
    traceback.print_exception(error)  # stderr is the client's log
    hint = "This is a fault of advisor: report it with what stands on stderr."
    return Failure(INTERNAL, f"{type(error).__name__}: {message}", hint)
