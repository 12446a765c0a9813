"""Sessions in which an agent would spend money: only with caps and the user's yes."""

from __future__ import annotations

import signal
import time
from datetime import datetime
from typing import Any

import anyio
import mcp_types as types

from agent_parts.stage import (
    CANCEL,
    NO,
    RENT,
    SHORT,
    UNTICKED,
    WRONG_KEY,
    YES,
    Check,
    Stage,
    Talk,
    Wire,
)


async def needs_caps(stage: Stage, check: Check) -> None:
    """Refuse a call without budget or lifetime before anybody is asked."""
    async with stage.talk() as talk:
        for lacking in (
            SHORT,
            {**SHORT, "budget_usd": 5},
            {**SHORT, "max_lifetime_s": 7200},
            {**RENT, "budget_usd": None},
        ):
            document = await talk.document("rent", **lacking)
            check("refused", document["error"]["code"] == "usage")
            check("it says what lacks", "is missing" in document["error"]["message"])
        run = {**SHORT, "argv": ["true"], "folder": str(stage.folder)}
        document = await talk.document("run", **run)
        check("run too", "is missing" in document["error"]["message"])
        check("nobody was asked", not talk.questions)
    check("nothing is rented", stage.is_bare())


async def needs_a_yes(stage: Stage, check: Check) -> None:
    """Rent nothing where the user declines, cancels, or does not tick."""
    async with stage.talk(NO, CANCEL, UNTICKED) as talk:
        for number in (1, 2, 3):
            document = await talk.document("rent", **RENT)
            check("not rented", document["state"] == "not_rented")
            check("as the command says it", document["error"]["code"] == "failed")
            check("asked once more", len(talk.questions) == number)
        check(
            "the question has the price and the cap", "At most $5.00" in talk.questions[0]
        )
    check("nothing is rented", stage.is_bare())


async def needs_a_yes_in_the_new_era(stage: Stage, check: Check) -> None:
    """Rent nothing then where a call is answered with its question, either."""
    async with stage.talk(NO, CANCEL, UNTICKED, mode="auto") as talk:
        for _ in range(3):
            document = await talk.document("rent", **RENT)
            check("not rented", document["state"] == "not_rented")
        check("asked three times", len(talk.questions) == 3)
    check("nothing is rented", stage.is_bare())


async def needs_a_client_that_asks(stage: Stage, check: Check) -> None:
    """Do nothing where the client cannot ask; tell the user what to type."""
    for mode in ("legacy", "auto"):
        async with stage.talk(mode=mode, can_ask=False) as talk:
            document = await talk.document("rent", **RENT, gpus=["RTX 4090", "RTX 3090"])
            check("refused", document["error"]["code"] == "usage")
            _, _, line = document["error"]["message"].partition("may type: ")
            check("a command line", line.startswith("advisor rent --workload resnet50"))
            check("that works", stage.typed(line) == 0)
            ended = await talk.document("release", instance_id=1)
            check("no release either", "may type: advisor release 1" in str(ended))
    check("nothing is rented", stage.is_bare())


async def needs_the_right_key(stage: Stage, check: Check) -> None:
    """Tell of a key that the market refuses by its code; never show it."""
    async with stage.talk(key=WRONG_KEY) as talk:
        result = await talk.call("rent", **RENT)
        check("the code", result.structured_content["error"]["code"] == "key_refused")
        check("no key", WRONG_KEY not in result.model_dump_json())
        check("nobody was asked", not talk.questions)
    check("nothing is rented", stage.is_bare())


async def keeps_to_the_budget(stage: Stage, check: Check) -> None:
    """Refuse a budget that nothing fits, and one above the user's own."""
    async with stage.talk() as talk:
        document = await talk.document("rent", **{**RENT, "budget_usd": 0.0001})
        check("over budget", document["error"]["code"] == "over_budget")
        check("nobody was asked", not talk.questions)
    (stage.folder / "data").mkdir(exist_ok=True)
    caps = "[rental]\njob_budget_usd = 3\n"
    (stage.folder / "data" / "advisor.toml").write_text(caps, encoding="utf-8")
    async with stage.talk() as talk:
        document = await talk.document("rent", **RENT)
        check("not past the user's cap", "advisor.toml" in document["error"]["message"])
        check("nobody was asked", not talk.questions)
    check("nothing is rented", stage.is_bare())


async def rents_and_releases(stage: Stage, check: Check) -> None:
    """Go the whole way: a yes rents, a no keeps, a yes releases."""
    async with stage.talk(YES, NO, YES) as talk:
        document = await talk.document("rent", **RENT, name="mine")
        check("rented", document["state"] == "rented")
        number = document["instance_id"]
        check("one machine", [one["id"] for one in stage.instances()] == [number])
        listed = await talk.document("rentals")
        check("in the ledger", listed["rentals"][0]["instance_id"] == number)
        printed = stage.printed("rentals")
        check("as the command lists it", _still(listed) == _still(printed))
        kept = await talk.document("release", instance_id=number)
        check("a no keeps it", "error" in kept and len(stage.instances()) == 1)
        gone = await talk.document("release", job="mine")
        check("a yes ends it", gone["released"][0]["instance_id"] == number)
        check("three questions", len(talk.questions) == 3)
    check("nothing is rented", stage.is_bare())


async def rents_in_the_new_era(stage: Stage, check: Check) -> None:
    """Go it with calls that are answered with their question, too."""
    async with stage.talk(mode="auto") as talk:
        document = await talk.document("rent", **RENT)
        check("rented", document["state"] == "rented")
        gone = await talk.document("release", instance_id=document["instance_id"])
        check("released", gone["state"] == "released")
    check("nothing is rented", stage.is_bare())


async def takes_an_answer_once(stage: Stage, check: Check) -> None:
    """Take an answer for one question: not for another call, and not twice."""
    async with stage.talk(mode="auto") as talk:
        session = talk.client.session
        for changed in ({**RENT, "budget_usd": 500.0}, RENT):
            asked = await session.call_tool("rent", RENT, allow_input_required=True)
            state, yes = asked.request_state, {"confirm": YES}
            done = await _again(session, changed, state, yes)
            again = await _again(session, changed, state, yes)
            check("no second time", again.structured_content["error"]["code"] == "usage")
            if changed is RENT:
                check("rented", done.structured_content["state"] == "rented")
            else:
                check("not for another call", done.is_error)
            forged = await _again(session, RENT, "forged", yes)
            check("no question, no rental", forged.is_error)
        check("one machine", len(stage.instances()) == 1)
        number = stage.instances()[0]["id"]
        await talk.document("release", instance_id=number)
    check("nothing is rented", stage.is_bare())


async def asks_for_each_offer(stage: Stage, check: Check) -> None:
    """Ask for each offer: a yes to one that is gone is none to the next."""
    async with stage.talk(YES, YES, NO) as talk:
        document = await talk.document("rent", **RENT)
        check("two questions", len(talk.questions) == 2)
        check("for two offers", talk.questions[0] != talk.questions[1])
        check("the second is rented", document["state"] == "rented")
        outcomes = [one["outcome"] for one in document["attempts"]]
        check("the first was refused", outcomes[0] != "rented" == outcomes[-1])
        check("one machine", len(stage.instances()) == 1)
        stage.advisor("release", str(document["instance_id"]), "--yes")
    check("nothing is rented", stage.is_bare())


async def shares_a_budget(stage: Stage, check: Check) -> None:
    """Keep two calls for one job, both confirmed at once, within its cap."""
    async with stage.talk() as talk:
        best = (await talk.document("rank", **SHORT, top=1))["offers"][0]
        asked = {**RENT, "name": "shared", "budget_usd": 1.5 * best["job_usd"]}
        found: list[dict[str, Any]] = []

        async def one() -> None:
            found.append(await talk.document("rent", **asked))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(one)
            tasks.start_soon(one)
        entries = stage.printed("rentals", "--all")["rentals"]
        most = sum(_most_usd(entry) for entry in entries if entry["closed_at"] is None)
        check("within the cap", 0.0 < most <= asked["budget_usd"] * 1.001)
        states = sorted(one["state"] for one in found)
        check("one is rented", states == ["not_rented", "rented"])
        for entry in entries:
            if entry["instance_id"] is not None:
                stage.advisor("release", str(entry["instance_id"]), "--yes")
    check("nothing is rented", stage.is_bare())


async def ends_what_nobody_waits_for(stage: Stage, check: Check) -> None:
    """Release what boots when its call is cancelled; go on serving."""
    async with stage.talk() as talk:
        with anyio.move_on_after(60.0) as scope:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_when_rented, stage, scope)
                await talk.document("rent", **RENT)
        check("it was cancelled", scope.cancelled_caught)
        check("nothing is rented", stage.is_bare())
        check("it goes on serving", bool((await talk.client.list_tools()).tools))
        with anyio.move_on_after(30.0):  # its end is looked at more than once
            while await _states(talk) != {"released"}:
                await anyio.sleep(0.5)
        check("the ledger says so", await _states(talk) == {"released"})


async def ends_with_its_client(stage: Stage, check: Check) -> None:
    """Release what boots when the client leaves."""
    with Wire(stage) as wire:
        wire.call("rent", **RENT)
        check("it was rented", stage.comes(lambda: bool(stage.instances())))
        wire.process.stdin.close()
        check("nothing is rented", stage.is_bare())
        check("the server ends well", wire.process.wait(30) == 0)


async def ends_by_a_signal(stage: Stage, check: Check) -> None:
    """Release what boots when the server is ended by a signal."""
    with Wire(stage) as wire:
        wire.call("rent", **RENT)
        check("it was rented", stage.comes(lambda: bool(stage.instances())))
        wire.process.send_signal(signal.SIGTERM)
        check("nothing is rented", stage.is_bare())
        check("it says that it was interrupted", wire.process.wait(30) == 130)


async def ends_with_an_open_question(stage: Stage, check: Check) -> None:
    """Drop a question that nobody answers; rent nothing."""
    async with stage.talk(mode="auto") as talk:
        asked = await talk.client.session.call_tool(
            "rent", RENT, allow_input_required=True
        )
        check("it is asked", isinstance(asked, types.InputRequiredResult))
        began = time.monotonic()
    check("the server ends at once", time.monotonic() - began < 2.0)
    check("nothing is rented", stage.is_bare())


async def _when_rented(stage: Stage, scope: anyio.CancelScope) -> None:
    """Cancel once a machine is rented."""
    while not stage.instances():
        await anyio.sleep(0.02)
    scope.cancel()


async def _states(talk: Talk) -> set[str]:
    """Return the states of all rentals of the ledger."""
    listed = await talk.document("rentals", all=True, offline=True)
    return {one["state"] for one in listed["rentals"]}


async def _again(session: Any, arguments: Any, state: str, answers: Any) -> Any:
    return await session.call_tool(
        "rent",
        arguments,
        input_responses=answers,
        request_state=state,
        allow_input_required=True,
    )


def _still(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Return rentals without what passes."""
    return [{**one, "ends_in_s": 0} for one in document["rentals"]]


def _most_usd(entry: dict[str, Any]) -> float:
    """Return what a rental costs at most, $."""
    ends, began = (datetime.fromisoformat(entry[key]) for key in ("ends_at", "rented_at"))
    return float(entry["usd_per_hour"]) * (ends - began).total_seconds() / 3600.0
