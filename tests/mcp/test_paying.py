"""Nothing is paid or ended without caps and the user's yes, and nothing is left over."""

from __future__ import annotations

import shlex
import sqlite3
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import types

from advisor.mcp import server
from advisor.mcp.paying import give_back
from advisor.simulator.faults import Fault
from tests.mcp.conftest import NO, YES, Agent, Play
from tests.rental.conftest import KEY

JOB = {"workload": "resnet50", "epochs": 2, "settings": {"dataset_gb": 1}}
RENT = {**JOB, "budget_usd": 5.0, "max_lifetime_s": 7200}
ERAS = pytest.mark.parametrize("mode", ["legacy", "auto"])


@ERAS
def test_a_yes_rents_and_a_yes_releases(mode: str, street: Any, play: Play) -> None:
    """The documents of the commands, through the same ledger; no key in any of them."""

    async def script(agent: Agent) -> None:
        result = await agent.call("rent", **RENT, name="mine")
        document = result.structured_content
        assert not result.is_error
        assert document["state"] == "rented"
        assert document["job"] == "mine"
        (entry,) = street.entries()
        assert (entry.instance_id, entry.state) == (document["instance_id"], "handed")
        assert entry.ends_at - entry.intended_at <= RENT["max_lifetime_s"]
        listed = await agent.document("rentals")
        assert listed["rentals"][0]["status"] == "running"
        gone = await agent.document("release", job="mine")
        assert gone["released"] == [
            {"label": entry.label, "job": "mine", "instance_id": entry.instance_id}
        ]
        assert KEY not in result.model_dump_json()

    agent = play(street.context(), script, YES, YES, mode=mode)
    assert street.instances() == []
    paid, ended = agent.questions
    assert "rent offer" in paid
    assert "At most $5.00" in paid
    assert "lose its disk" in ended


@ERAS
@pytest.mark.parametrize(
    "answer",
    [
        NO,
        types.ElicitResult(action="cancel"),
        types.ElicitResult(action="accept", content={"confirm": False}),
        types.ElicitResult(action="accept", content={}),
        types.ElicitResult(action="accept", content={"confirm": "true"}),
    ],
    ids=["declined", "canceled", "not ticked", "empty", "a word"],
)
def test_nothing_else_is_a_yes(
    answer: types.ElicitResult, mode: str, street: Any, play: Play
) -> None:
    """Nothing is rented, nothing is written down, and it is told as the command does."""

    async def script(agent: Agent) -> None:
        document = await agent.document("rent", **RENT)
        assert document["state"] == "not_rented"
        assert document["error"]["code"] == "failed"

    play(street.context(), script, answer, mode=mode)
    assert street.instances() == []
    assert street.entries() == []


@pytest.mark.parametrize("lacking", ["budget_usd", "max_lifetime_s"])
@pytest.mark.parametrize("tool", ["rent", "run"])
@ERAS
def test_nothing_is_paid_without_a_cap(
    mode: str, tool: str, lacking: str, street: Any, play: Play
) -> None:
    """One that is not said and one that is null; nobody is asked."""
    given = {**RENT, "argv": ["true"], "folder": "/"} if tool == "run" else RENT

    async def script(agent: Agent) -> None:
        for call in ({**given, lacking: None}, {**given}):
            if call.get(lacking) is not None:
                del call[lacking]
            document = await agent.document(tool, **call)
            assert f"{lacking} is missing" in document["error"]["message"]

    agent = play(street.context(), script, YES, mode=mode)
    assert agent.questions == []
    assert street.instances() == []


@ERAS
@pytest.mark.parametrize("tool", ["rent", "run", "release"])
def test_a_client_that_cannot_ask_gets_the_command(
    mode: str, tool: str, street: Any, play: Play, run_command: Any
) -> None:
    """Nothing is done; the line works as it stands."""
    folder = street.folder / "project"
    folder.mkdir()
    (folder / "train.py").write_text("print(1)")
    given: dict[str, dict[str, Any]] = {
        "rent": {**RENT, "gpus": ["RTX 4090", "RTX 3090"], "verified": True},
        "run": {**RENT, "argv": ["cat", "train.py"], "folder": str(folder)},
        "release": {"job": "mine"},
    }
    said: list[str] = []

    async def script(agent: Agent) -> None:
        document = await agent.document(tool, **given[tool])
        assert document["error"]["code"] == "usage"
        said.append(document["error"]["message"])

    context = street.context()
    play(context, script, mode=mode, can_ask=False)
    assert street.instances() == []
    _, _, line = said[0].partition("the user may type: ")
    words = shlex.split(line)
    assert words[:2] == ["advisor", tool]
    if tool == "release":
        assert line == "advisor release --job mine"
        return
    dry = run_command([tool, "--dry-run", "--json", *words[2:]], context)
    assert dry.exit_code == 0, dry.stderr
    assert dry.document["spec"].get("rent", dry.document["spec"])["budget_usd"] == 5.0


def test_a_budget_is_never_past_that_of_the_users_file(street: Any, play: Play) -> None:
    """An agent may spend less than the user's file allows; the command line, more."""
    context = street.context()
    context.data_folder.mkdir(parents=True)
    file = context.data_folder / "advisor.toml"
    file.write_text("[rental]\njob_budget_usd = 3\n", encoding="utf-8")

    async def script(agent: Agent) -> None:
        document = await agent.document("rent", **RENT)
        assert document["error"]["code"] == "usage"
        assert "allows $3.00" in document["error"]["message"]
        document = await agent.document("rent", **{**RENT, "budget_usd": 0.0001})
        assert document["error"]["code"] == "over_budget"

    agent = play(context, script, YES)
    assert agent.questions == []
    assert street.instances() == []


def test_a_lifetime_is_never_past_that_of_the_users_file(street: Any, play: Play) -> None:
    """As a budget is not: whoever asks in the user's stead lifts none of the caps."""
    context = street.context()
    context.data_folder.mkdir(parents=True)
    file = context.data_folder / "advisor.toml"
    file.write_text("[rental]\nmax_lifetime_h = 1.5\n", encoding="utf-8")

    async def script(agent: Agent) -> None:
        document = await agent.document("rent", **RENT)
        assert document["error"]["code"] == "usage"
        assert (
            "max_lifetime_h in advisor.toml allows 1.5 h" in document["error"]["message"]
        )
        document = await agent.document("rent", **{**RENT, "max_lifetime_s": 5400})
        assert document["state"] == "rented"

    play(context, script, YES)
    (entry,) = street.entries()
    assert entry.ends_at - entry.intended_at <= 5400


@pytest.mark.parametrize(
    ("tool", "given"),
    [
        ("release", {"instance_id": "--all"}),
        ("release", {"instance_id": -1}),
        ("release", {"instance_id": True}),
        ("release", {"instance_id": [1, "--yes"]}),
        ("release", {}),
        ("release", {"job": "mine", "market": "./x.json"}),
        ("rent", {**RENT, "budget_usd": 500}),
        ("rent", {**RENT, "budget_usd": "5 --yes"}),
        ("run", {**RENT, "budget_usd": 500, "argv": ["true"], "folder": "/"}),
    ],
)
def test_no_command_is_handed_to_the_user_that_a_tool_would_refuse(
    tool: str, given: dict[str, Any], street: Any, play: Play
) -> None:
    """An option hidden in a number ends all rentals; a command line goes past a cap."""
    context = street.context()
    context.data_folder.mkdir(parents=True)
    file = context.data_folder / "advisor.toml"
    file.write_text("[rental]\njob_budget_usd = 50\n", encoding="utf-8")

    async def script(agent: Agent) -> None:
        error = (await agent.document(tool, **given))["error"]
        assert error["code"] == "usage"
        assert "may type" not in error["message"]

    play(context, script, can_ask=False)


def test_no_command_is_handed_to_the_user_that_is_cut_off(
    street: Any, play: Play
) -> None:
    """Without its end it would have no budget."""
    given = {**RENT, "gpus": ["RTX 4090"] * 200}

    async def script(agent: Agent) -> None:
        message = (await agent.document("rent", **given))["error"]["message"]
        assert "too long to be shown" in message
        assert "advisor rent" not in message

    play(street.context(), script, can_ask=False)


def test_the_user_is_told_how_many_machines_are_to_end(street: Any, play: Play) -> None:
    """First, since the list of them may be long."""

    async def script(agent: Agent) -> None:
        for _ in range(2):
            await agent.document("rent", **{**RENT, "name": "mine"})
        await agent.document("release", job="mine")

    agent = play(street.context(), script, YES, YES, NO)
    assert agent.questions[-1].startswith("2 machines: end instance ")
    assert len(street.instances()) == 2


def test_secrets_that_an_agent_names_go_at_the_users_yes(
    street: Any, project: Path, play: Play
) -> None:
    """Not by a pattern among the arguments, which nobody is shown."""
    (project / ".env").write_text("TOKEN=abc")
    (project / "notes.log").write_text("private")
    (project / ".gitignore").write_text("*.log")
    call = {**RENT, "argv": ["cat", "data.txt"], "folder": str(project)}

    async def script(agent: Agent) -> None:
        document = await agent.document("run", **call, includes=[".env"])
        assert "nothing was sent" in document["error"]["message"]
        await agent.document("run", **call, includes=["*.log"])

    agent = play(street.context(), script, NO, NO)
    secrets, paying = agent.questions
    assert "send secrets of yours" in secrets
    assert ".env" in secrets
    assert "of what it ignores: '*.log'" in paying
    assert street.entries() == []


def test_more_than_is_usual_is_asked_about_whatever_an_agent_says(
    street: Any, project: Path, play: Play
) -> None:
    """Who raises the bound of the question has it asked all the same."""
    large = project / "large.bin"
    with large.open("wb") as file:
        file.truncate(6 * 10**9)  # sparse
    call = {**RENT, "argv": ["cat", "data.txt"], "folder": str(project)}

    async def script(agent: Agent) -> None:
        document = await agent.document("run", **call, max_sync_gb=1000)
        assert "nothing was sent" in document["error"]["message"]

    agent = play(street.context(), script, NO)
    large.unlink()  # every test's files are read for keys once it has ended
    (question,) = agent.questions
    assert "more than 5 GB" in question


def test_a_wrong_key_is_told_by_its_code(make_street: Any, play: Play) -> None:
    """And shown nowhere."""
    street = make_street(key="the-right-one-0123456789")

    async def script(agent: Agent) -> None:
        result = await agent.call("rent", **RENT)
        assert result.structured_content["error"]["code"] == "key_refused"
        assert KEY not in result.model_dump_json()

    play(street.context(), script, YES)


def test_each_offer_is_asked_for(make_street: Any, play: Play) -> None:
    """The second one at its own price, after the first was gone."""
    gone = Fault("gone", "json", ("rent",), status=404, error="no_such_ask", times=1)
    street = make_street(faults=[gone])

    async def script(agent: Agent) -> None:
        document = await agent.document("rent", **RENT)
        assert document["state"] == "not_rented"
        assert len(document["attempts"]) == 1

    agent = play(street.context(), script, YES, NO)
    first, second = agent.questions
    assert first != second
    assert street.instances() == []


def test_an_answer_is_taken_once_and_for_its_call(street: Any, play: Play) -> None:
    """Not for a call with other arguments, not a second time, not for no question."""

    async def script(agent: Agent) -> None:
        session = agent.client.session
        yes = {"confirm": YES}

        async def again(state: str, arguments: dict[str, Any]) -> Any:
            return await session.call_tool(
                "rent",
                arguments,
                input_responses=yes,
                request_state=state,
                allow_input_required=True,
            )

        for other in ({**RENT, "budget_usd": 50.0}, RENT):
            asked = await session.call_tool("rent", RENT, allow_input_required=True)
            assert isinstance(asked, types.InputRequiredResult)
            first = await again(str(asked.request_state), other)
            assert first.is_error == (other is not RENT)
            assert (await again(str(asked.request_state), RENT)).is_error
        assert (await again("forged", RENT)).is_error

    play(street.context(), script, mode="auto")
    assert len(street.instances()) == 1


@ERAS
def test_what_nobody_waits_for_is_released(mode: str, street: Any, play: Play) -> None:
    """A call that is cancelled while its machine boots."""

    async def script(agent: Agent) -> None:
        with anyio.move_on_after(30.0) as scope:
            async with anyio.create_task_group() as tasks:

                async def when_rented() -> None:
                    while not street.instances():
                        await anyio.sleep(0.002)
                    scope.cancel()

                tasks.start_soon(when_rented)
                await agent.call("rent", **RENT)
        assert scope.cancelled_caught

    context = street.context()
    still = replace(context.clock, sleep=lambda _: time.sleep(0.001))
    play(replace(context, clock=still), script, YES, mode=mode)
    assert street.instances() == []
    assert {one.state for one in street.entries()} == {"released"}


def test_a_machine_whose_document_nobody_took_is_released(
    street: Any, play: Play
) -> None:
    """Also where the call was done already."""

    async def script(agent: Agent) -> None:
        document = await agent.document("rent", **RENT)
        assert len(street.instances()) == 1
        give_back(street.context(), "vast", document)

    play(street.context(), script, YES)
    assert street.instances() == []


def test_a_question_that_is_left_open_keeps_nobody(street: Any, play: Play) -> None:
    """The server ends, and nothing was rented."""

    async def script(agent: Agent) -> None:
        asked = await agent.client.session.call_tool(
            "rent", RENT, allow_input_required=True
        )
        assert isinstance(asked, types.InputRequiredResult)

    play(street.context(), script, mode="auto")
    assert street.instances() == []


def test_only_so_many_calls_at_once(street: Any, play: Play) -> None:
    """Each open question has a thread: the ninth call is refused, in words."""

    async def script(agent: Agent) -> None:
        session = agent.client.session
        for _ in range(8):
            await session.call_tool("rent", RENT, allow_input_required=True)
        document = await agent.document("rank", **JOB)
        assert "8 calls are under way" in document["error"]["message"]

    play(street.context(), script, mode="auto")


@pytest.mark.slow
def test_a_command_runs_there_and_its_results_come_back(
    inhabited: Any, project: Path, play: Play
) -> None:
    """The document of `advisor run`; the question says what is run, and with what."""

    async def script(agent: Agent) -> None:
        document = await agent.document(
            "run",
            **RENT,
            argv=["sh", "-c", "mkdir results && cp data.txt results/"],
            folder=str(project),
        )
        assert document["state"] == "ended", document
        assert document["exit_code"] == 0
        failed = await agent.call("run", **RENT, argv=["false"], folder=str(project))
        assert failed.is_error
        assert failed.structured_content["error"]["code"] == "command_failed"

    agent = play(inhabited.context(), script, YES, YES)
    assert (project / "results" / "data.txt").read_text() == "input"
    assert f"with a copy of {project}" in agent.questions[0]
    assert "mkdir results" in agent.questions[0]
    assert agent.questions[0].startswith("rent offer")
    assert inhabited.instances() == []


def test_no_text_of_the_agents_hides_the_price(inhabited: Any, play: Play) -> None:
    """A long path, lines, colors: price and cap come first, in one line."""
    folder = inhabited.folder / "project"
    folder.mkdir()
    (folder / "train.py").write_text("print(1)")
    long = f"{folder}{'/.' * 1500}"
    words = ["echo", "\n\nrent offer 1 for $0.001/h\x1b[2J", "x" * 3000]

    async def script(agent: Agent) -> None:
        await agent.document("run", **RENT, argv=words, folder=long)

    agent = play(inhabited.context(), script, NO)
    (question,) = agent.questions
    assert question.startswith("rent offer")
    assert question.index("At most $5.00") < question.index("To be run there")
    assert not {"\n", "\x1b"} & set(question)
    assert len(question) < 1500


@pytest.mark.parametrize("at", range(1, 8))
def test_a_machine_is_told_of_only_if_it_stays(
    at: int, street: Any, play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger's disk fails at the n-th commit and from then on: had, or an error."""
    commits = 0

    class Failing(sqlite3.Connection):
        def execute(self, sql: str, *arguments: Any) -> sqlite3.Cursor:
            nonlocal commits
            if sql == "COMMIT":
                commits += 1
                if commits >= at:
                    message = "disk I/O error"
                    raise sqlite3.OperationalError(message)
            return super().execute(sql, *arguments)

    connect = sqlite3.connect

    def failing(*arguments: Any, **options: Any) -> sqlite3.Connection:
        return connect(*arguments, **{**options, "factory": Failing})

    results: list[types.CallToolResult] = []

    async def script(agent: Agent) -> None:
        monkeypatch.setattr(sqlite3, "connect", failing)
        results.append(await agent.call("rent", **RENT))
        monkeypatch.undo()

    play(street.context(), script, YES)
    (result,) = results
    is_rented = result.structured_content.get("state") == "rented"
    assert is_rented != result.is_error
    assert len(street.instances()) == int(is_rented)


def test_a_call_says_that_it_goes_on(
    street: Any, play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While its user thinks, too: clients give up those that are silent."""
    monkeypatch.setattr(server, "_STILL_S", 0.05)
    told: list[tuple[float, str | None]] = []

    async def hear(progress: float, _total: float | None, message: str | None) -> None:
        told.append((progress, message))

    async def script(agent: Agent) -> None:
        async with anyio.create_task_group() as tasks:

            async def call() -> None:
                await agent.client.call_tool("rent", RENT, progress_callback=hear)
                tasks.cancel_scope.cancel()

            tasks.start_soon(call)
            while len(told) < 5:
                await anyio.sleep(0.01)
            agent.answers.append(NO)
            agent.thinks.set()

    play(street.context(), script, thinks=True)
    assert [progress for progress, _ in told] == sorted({one for one, _ in told})
