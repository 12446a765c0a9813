"""The server of the tools: who asks, who is asked, and what goes over the wire.

Both eras of the protocol are served. Until 2025 a server asks its client in the middle of
a call; from 2026 on the call is answered with the question, and the client calls again
with the answer (`InputRequiredResult`). The work of a call waits for it either way.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeAlias

import anyio
from mcp import types
from mcp.server import Server, ServerRequestContext
from mcp.shared.exceptions import MCPError

from advisor import __version__
from advisor.app.context import Context
from advisor.app.rent import DEFAULT_MARKET
from advisor.base.errors import AdvisorError, UsageError
from advisor.market.registry import known_secrets
from advisor.mcp.arguments import Arguments, check_caps, check_known, given
from advisor.mcp.paying import User
from advisor.mcp.tools import INSTRUCTIONS, Tool, tools
from advisor.mcp.untrusted import DATA, Guard
from advisor.mcp.work import ANSWER_S, Document, Done, Note, Question, Work
from advisor.report.failure import INTERNAL, INTERRUPTED, SYSTEM, Failure

_Context: TypeAlias = ServerRequestContext[Any, Any]
_Answer: TypeAlias = types.CallToolResult | types.InputRequiredResult

_MOST_AT_ONCE = 8
"""Calls under way, questions that wait among them: each has a thread."""

_MOST_NOTES = 50
_CONFIRM = "confirm"


@dataclass(frozen=True, slots=True)
class Waiting:
    """A call whose question went out as its answer, until it comes again.

    Attributes
    ----------
    tool, arguments : of the call; it comes with the same ones
    work : of the call, which waits
    question : that it waits for
    notes : that it has made so far
    """

    tool: str
    arguments: Arguments
    work: Work
    question: Question
    notes: list[str]


@dataclass(slots=True)
class Calls:
    """The calls of one client.

    Attributes
    ----------
    context : the outside world
    typed : returns what a user types to do what a tool with arguments does
    read_only : no tool spends money or ends machines
    """

    context: Context
    typed: Callable[[str, Arguments], str]
    read_only: bool = False
    _waiting: dict[str, Waiting] = field(default_factory=dict)
    _works: list[Work] = field(default_factory=list)

    def server(self) -> Server[Any]:
        """Return the server of these calls."""
        return Server(
            "advisor",
            version=__version__,
            title="advisor",
            description="Which rented GPU finishes a training for the least money.",
            instructions=INSTRUCTIONS,
            on_list_tools=self.list_tools,
            on_call_tool=self.call_tool,
        )

    async def list_tools(
        self,
        _context: _Context,
        _params: types.PaginatedRequestParams | None,
    ) -> types.ListToolsResult:
        """Return what there is."""
        return types.ListToolsResult(
            tools=[_described(one) for one in tools(read_only=self.read_only)]
        )

    async def call_tool(
        self, context: _Context, params: types.CallToolRequestParams
    ) -> _Answer:
        """Carry out a call, or go on with one whose question was answered."""
        found, guard = given(params.arguments), Guard([])
        try:
            guard = self._guard()
            if params.request_state is not None:
                waiting = self._answered(params, found)
                tool = self._tool(waiting.tool)
                return await self._follow(context, tool, found, waiting, guard)
            tool = self._tool(params.name)
            check_known(found, tool.takes)
            if tool.pay is not None:
                self._check_can_pay(context, tool, found)
            work = self._begun(tool, found, guard)
        except Exception as error:
            return _answer(guard, None, error, [])
        return await self._follow(context, tool, found, work, guard)

    def leave(self) -> None:
        """Wait for no call any more: what was begun is ended."""
        for work in self._works:
            work.leave()

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait until all is ended; return whether it is."""
        return all(work.join(timeout_s) for work in self._works)

    def _guard(self) -> Guard:
        known = known_secrets(self.context.variables, self.context.home)
        return Guard(known.texts)

    def _tool(self, name: str) -> Tool:
        """Return a tool.

        Raises
        ------
        UsageError
            if there is none of that name
        """
        there = {one.name: one for one in tools(read_only=self.read_only)}
        if name not in there:
            message = f"there is no tool {name[:40]!r}; there are {', '.join(there)}"
            raise UsageError(message)
        return there[name]

    def _check_can_pay(self, context: _Context, tool: Tool, found: Arguments) -> None:
        """Refuse what the user cannot be asked, before anything else is done.

        Raises
        ------
        UsageError
            with the command that the user may type
        """
        if tool.name != "release":
            check_caps(found)
        if not _can_ask(context):
            raise self._unasked(tool.name, found)

    def _unasked(self, name: str, found: Arguments) -> UsageError:
        message = (
            "this client cannot ask its user, so nothing was done; the user may type: "
            f"{self.typed(name, found)}"
        )
        return UsageError(message)

    def _begun(self, tool: Tool, found: Arguments, guard: Guard) -> Work:
        """Begin the work of a call.

        Raises
        ------
        AdvisorError
            if too many are under way
        """
        self._works = [work for work in self._works if not work.join(0.0)]
        if len(self._works) >= _MOST_AT_ONCE:
            message = f"{_MOST_AT_ONCE} calls are under way: wait for one of them"
            raise AdvisorError(message)

        def notify(line: str) -> None:
            plain = guard.text(line)
            work.note(plain)
            self.context.notify(plain)

        def do(work: Work) -> Document:
            if tool.pay is not None:
                return tool.pay(world, found, User(work, guard))
            assert tool.read is not None  # noqa: S101  (a tool does the one or the other)
            return tool.read(world, found)

        world = replace(self.context, notify=notify)
        undo = None
        if tool.undo is not None:
            undo = partial(tool.undo, world, found.get("market") or DEFAULT_MARKET)
        work = Work(do, undo)
        work.begin()
        self._works.append(work)
        return work

    async def _follow(
        self,
        context: _Context,
        tool: Tool,
        found: Arguments,
        begun: Work | Waiting,
        guard: Guard,
    ) -> _Answer:
        """Wait for the end of a call, or for its next question."""
        work = begun if isinstance(begun, Work) else begun.work
        notes = [] if isinstance(begun, Work) else begun.notes
        try:
            while True:
                event = await work.next()
                if isinstance(event, Note):
                    notes.append(event.line)
                    await context.session.report_progress(
                        float(len(notes)), message=event.line
                    )
                elif isinstance(event, Question):
                    if not context.session.can_send_request:
                        return self._asked_for(tool, found, work, event, notes)
                    event.settle(await self._ask(context, tool, found, event))
                else:
                    return self._ended(work, event, guard, notes)
        except BaseException:  # cancelled, or the client has gone
            work.leave()
            raise

    def _ended(
        self, work: Work, done: Done, guard: Guard, notes: list[str]
    ) -> types.CallToolResult:
        answer = _answer(guard, done.document, done.error, notes)
        work.taken()
        return answer

    async def _ask(
        self, context: _Context, tool: Tool, found: Arguments, question: Question
    ) -> bool | AdvisorError:
        """Ask the user in the middle of a call; return whether it is allowed."""
        with anyio.move_on_after(ANSWER_S):
            try:
                result = await context.session.elicit_form(
                    question.text, _form(question), context.request_id
                )
            except MCPError:
                return self._unasked(tool.name, found)
            return _is_yes(result)
        return False

    def _asked_for(
        self,
        tool: Tool,
        found: Arguments,
        work: Work,
        question: Question,
        notes: list[str],
    ) -> types.InputRequiredResult:
        """Answer a call with its question."""
        self._waiting = {
            state: one
            for state, one in self._waiting.items()
            if not one.question.answer.done()
        }
        state = secrets.token_urlsafe(32)
        self._waiting[state] = Waiting(tool.name, found, work, question, notes)
        request = types.ElicitRequest(
            params=types.ElicitRequestFormParams(
                message=question.text, requested_schema=_form(question)
            )
        )
        return types.InputRequiredResult(
            input_requests={_CONFIRM: request}, request_state=state
        )

    def _answered(self, params: types.CallToolRequestParams, found: Arguments) -> Waiting:
        """Return the call that goes on, its question answered.

        Raises
        ------
        UsageError
            if there is none, or it is another one
        """
        waiting = self._waiting.pop(params.request_state or "", None)
        if waiting is None:
            message = "no question waits for this answer: nothing was done by it"
            raise UsageError(message)
        is_same = (waiting.tool, waiting.arguments) == (params.name, found)
        result = (params.input_responses or {}).get(_CONFIRM)
        waiting.question.settle(is_same and _is_yes(result))
        if not is_same:
            message = "the question was asked for another call: nothing was done"
            raise UsageError(message)
        return waiting


def _described(tool: Tool) -> types.Tool:
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


def _can_ask(context: _Context) -> bool:
    """Say whether the client says that it can ask its user.

    One that names no kind of question can show a form: there was no other before.
    """
    capabilities = context.session.client_capabilities
    asks = None if capabilities is None else capabilities.elicitation
    return asks is not None and (asks.form is not None or asks.url is None)


def _form(question: Question) -> dict[str, Any]:
    """Return what the user fills in: an empty form that is sent off is no yes."""
    yes = {"type": "boolean", "title": question.verb, "default": False}
    return {"type": "object", "properties": {_CONFIRM: yes}, "required": [_CONFIRM]}


def _is_yes(result: object) -> bool:
    return (
        isinstance(result, types.ElicitResult)
        and result.action == "accept"
        and (result.content or {}).get(_CONFIRM) is True
    )


def _answer(
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
    return Failure(INTERNAL, f"{type(error).__name__}: {message}")
