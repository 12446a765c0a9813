"""The server of the tools: who asks, and who is asked.

Both eras of the protocol are served. Until 2025 a server asks its client in the middle of
a call; from 2026 on the call is answered with the question, and the client calls again
with the answer (`InputRequiredResult`). The work of a call waits for it either way.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeAlias

import anyio
from mcp import types
from mcp.server import Server
from mcp.shared.exceptions import MCPError

from advisor import __version__
from advisor.app.context import Context
from advisor.app.rent import DEFAULT_MARKET
from advisor.base.errors import AdvisorError, UsageError
from advisor.market.registry import known_secrets
from advisor.mcp.arguments import Arguments, check_known, given
from advisor.mcp.paying import User
from advisor.mcp.tools import INSTRUCTIONS, Tool, tools
from advisor.mcp.untrusted import Guard
from advisor.mcp.wire import CONFIRM, Call, answered, can_ask, described, form, is_yes
from advisor.mcp.work import ANSWER_S, Document, Done, Note, Question, Work

Answer: TypeAlias = types.CallToolResult | types.InputRequiredResult

_MOST_AT_ONCE = 8
"""Calls under way, questions that wait among them: each has a thread."""

_STILL_S = 15.0
"""Seconds after which a call says that it goes on: clients give up those that are silent,
after a minute or so."""


_LONGEST_LINE = 1500
"""Characters of a command line: an answer has room for it, and nobody reads a longer one
before it is typed."""


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
        _context: Call,
        _params: types.PaginatedRequestParams | None,
    ) -> types.ListToolsResult:
        """Return what there is."""
        return types.ListToolsResult(
            tools=[described(one) for one in tools(read_only=self.read_only)]
        )

    async def call_tool(
        self, context: Call, params: types.CallToolRequestParams
    ) -> Answer:
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
            return answered(guard, None, error, [])
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

    def _check_can_pay(self, context: Call, tool: Tool, found: Arguments) -> None:
        """Refuse what the user cannot be asked, before anything else is done.

        What would be refused anyway is: a command line that the user is handed holds no
        option that hides in a number, and no cap above the user's own.

        Raises
        ------
        UsageError
            with the command that the user may type
        """
        if tool.check is not None:
            tool.check(self.context, found)
        if not can_ask(context):
            raise self._unasked(tool.name, found)

    def _unasked(self, name: str, found: Arguments) -> UsageError:
        line = self.typed(name, found)
        way_out = f"the user may type: {line}"
        if len(line) > _LONGEST_LINE:  # cut off, it would be another command
            way_out = "the command that does it is too long to be shown: give it less"
        return UsageError(
            f"this client cannot ask its user, so nothing was done; {way_out}"
        )

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
        context: Call,
        tool: Tool,
        found: Arguments,
        begun: Work | Waiting,
        guard: Guard,
    ) -> Answer:
        """Wait for the end of a call, or for its next question."""
        work = begun if isinstance(begun, Work) else begun.work
        notes = [] if isinstance(begun, Work) else begun.notes
        progress = _Progress(context)
        ticking = asyncio.create_task(progress.tick())
        try:
            while True:
                event = await work.next()
                if isinstance(event, Note):
                    notes.append(event.line)
                    await progress.tell(event.line)
                elif isinstance(event, Question):
                    if not context.session.can_send_request:
                        return self._asked_for(tool, found, work, event, notes)
                    event.settle(await self._ask(context, tool, found, event))
                else:
                    return self._ended(work, event, guard, notes)
        except BaseException:  # cancelled, or the client has gone
            work.leave()
            raise
        finally:
            ticking.cancel()

    def _ended(
        self, work: Work, done: Done, guard: Guard, notes: list[str]
    ) -> types.CallToolResult:
        result = answered(guard, done.document, done.error, notes)
        work.taken()
        return result

    async def _ask(
        self, context: Call, tool: Tool, found: Arguments, question: Question
    ) -> bool | AdvisorError:
        """Ask the user in the middle of a call; return whether it is allowed."""
        with anyio.move_on_after(ANSWER_S):
            try:
                result = await context.session.elicit_form(
                    question.text, form(question), context.request_id
                )
            except MCPError:
                return self._unasked(tool.name, found)
            return is_yes(result)
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
                message=question.text, requested_schema=form(question)
            )
        )
        return types.InputRequiredResult(
            input_requests={CONFIRM: request}, request_state=state
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
        result = (params.input_responses or {}).get(CONFIRM)
        waiting.question.settle(is_same and is_yes(result))
        if not is_same:
            message = "the question was asked for another call: nothing was done"
            raise UsageError(message)
        return waiting


@dataclass(slots=True)
class _Progress:
    """How a call comes on, as its client is told.

    Attributes
    ----------
    context : of the call
    told : how often it was told
    line : the last thing that was told
    """

    context: Call
    told: int = 0
    line: str | None = None

    async def tell(self, line: str | None) -> None:
        """Tell something new."""
        self.told, self.line = self.told + 1, line
        await self.context.session.report_progress(float(self.told), message=line)

    async def tick(self) -> None:
        """Tell now and then that it goes on."""
        with suppress(Exception):  # the call itself meets a client that has gone
            while True:
                await anyio.sleep(_STILL_S)
                await self.tell(self.line)
