"""A hostile worker runs no code on the launcher, and speaks for nobody else."""

from __future__ import annotations

import asyncio
import ssl
import struct
from collections.abc import Callable, Coroutine, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import pytest

pytest.importorskip("distributed", reason="the extra 'fleet' is not installed")
pytest.importorskip("cryptography", reason="the extra 'fleet' is not installed")

import msgpack
from distributed import Security
from distributed.comm import connect
from distributed.protocol import Serialize, ToPickle, pickle
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.fleet.certificates import Authority
from advisor.fleet.guard import MOST_BYTES
from advisor.fleet.messages import RefusedError, call, decoded, report
from advisor.fleet.scheduler import FleetScheduler, Pass, open_scheduler
from advisor.fleet.tunnel import Tunnel

NO_TUNNEL = cast("Tunnel", None)
"""A guarded worker is not connected to."""

HANDSHAKE = {"compression": None, "python": (3, 11, 7), "pickle-protocol": 5}
METRICS = {"bandwidth": {"total": 1, "workers": {}, "types": {}}, "memory": 7}


class Evil:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.touch, (self.path,)


@pytest.fixture(scope="module")
def guarded() -> Iterator[FleetScheduler]:
    """Return a scheduler that does not believe its workers."""
    with open_scheduler(guarded=True) as scheduler:
        yield scheduler


@pytest.fixture
def admitted(guarded: FleetScheduler) -> Iterator[Pass]:
    """Return what a worker of member "m" joins with."""
    yield guarded.door.admit("m", "m-0", NO_TUNNEL, 0)
    guarded.door.dismiss(["m-0"])


def within(work: Coroutine[Any, Any, Any]) -> Any:
    """Do something, and fail where that takes long."""
    return asyncio.run(asyncio.wait_for(work, 10.0))


def security_of(allowed: Pass) -> Security:
    own = allowed.certificate
    return Security(
        require_encryption=True,
        tls_ca_file=own.authority,
        tls_worker_cert=own.certificate,
        tls_worker_key=own.key,
    )


def registering(allowed: Pass, **more: object) -> dict[str, Any]:
    """Return what a worker of Dask's says first."""
    message = {
        "op": "register-worker",
        "reply": False,
        "address": allowed.address,
        "status": "init",
        "nthreads": 64,
        "name": allowed.name,
        "now": 1.0,
        "resources": {"another": 1},
        "memory_limit": 1 << 40,
        "local_directory": "/",
        "services": {"dashboard": 22},
        "nanny": "tcp://10.0.0.1:1",
        "pid": 1,
        "versions": {},
        "metrics": METRICS,
        "extra": {},
        "stimulus_id": "x",
        "server_id": "x",
    }
    return {**message, **more}


def talk(guarded: FleetScheduler, allowed: Pass, *messages: object) -> list[object]:
    """Send messages to the scheduler as a worker's connection; return its answers.

    What cannot be answered any more is the exception of that.
    """
    arguments = security_of(allowed).get_connection_args("worker")

    async def speak() -> list[object]:
        comm = await connect(f"tls://127.0.0.1:{guarded.door.port}", **arguments)
        answers: list[object] = []
        try:
            for message in messages:
                await comm.write(message)
                if isinstance(message, Mapping):
                    answers.append(await asyncio.wait_for(comm.read(), 5.0))
            # Something that is answered shows that all before it was dealt with.
            await asyncio.sleep(0.1)
        except OSError as error:
            answers.append(error)
        finally:
            comm.abort()
        return answers

    return within(speak())


def serves(guarded: FleetScheduler) -> bool:
    """Tell whether the scheduler is there for its own."""
    return bool(guarded.client.scheduler_info()["type"] == "GuardedScheduler")


def test_a_worker_is_what_it_was_to_be(guarded: FleetScheduler, admitted: Pass) -> None:
    """Whatever it says: one job at a time, under its member's name, with no services."""

    async def register() -> dict[str, Any]:
        comm = await joined(guarded, admitted)
        known = guarded.client.scheduler_info()["workers"]
        comm.abort()
        return dict(known[admitted.address])

    worker = within(register())
    told = {name: worker[name] for name in ("name", "nthreads", "resources", "services")}
    assert told == {
        "name": "m-0",
        "nthreads": 1,
        "resources": {"m": 1.0},
        "services": {},
    }
    assert (worker["nanny"], worker["memory_limit"]) == ("", 0)


@pytest.mark.parametrize(
    "hide", [ToPickle, Serialize, pickle.dumps], ids=["pickled", "serialized", "bytes"]
)
@pytest.mark.parametrize(
    "message",
    [
        {"op": "register-worker", "extra": "EVIL"},
        {"op": "register-worker", "metrics": "EVIL"},
        {"op": "heartbeat_worker", "extensions": "EVIL"},
        {"op": "register_scheduler_plugin", "plugin": "EVIL", "name": "x"},
        {"op": "run_function", "function": "EVIL", "args": b"", "kwargs": b""},
        {"op": "feed", "function": "EVIL", "setup": None, "teardown": None},
        {"op": "EVIL"},
        {"op": "identity", "reply": "EVIL"},
    ],
    ids=lambda message: "-".join(map(str, message.values())),
)
def test_no_call_of_a_machine_runs_code(
    guarded: FleetScheduler,
    admitted: Pass,
    tmp_path: Path,
    message: dict[str, Any],
    hide: Callable[[object], object],
) -> None:
    """Whatever is pickled in it, and wherever Dask would unpickle that."""
    mark = tmp_path / "mark"
    evil = hide(Evil(mark))
    sent = {name: evil if text == "EVIL" else text for name, text in message.items()}
    if message["op"] == "register-worker":
        sent = registering(admitted, **sent)
    talk(guarded, admitted, sent)
    assert serves(guarded)
    assert not mark.exists()


def test_dasks_own_scheduler_would_run_it(tmp_path: Path) -> None:
    """So the guard is what keeps it from that."""
    mark = tmp_path / "mark"
    with open_scheduler(guarded=False) as unguarded:
        own = unguarded.door.security
        joined = Pass("m-0", "", unguarded.door._authority.certify("m"))
        assert own is not None
        talk(unguarded, joined, {"op": "identity", "n_workers": ToPickle(Evil(mark))})
    assert mark.exists()


async def joined(guarded: FleetScheduler, allowed: Pass) -> Any:
    """Register as a worker does; return its connection."""
    arguments = security_of(allowed).get_connection_args("worker")
    comm = await connect(f"tls://127.0.0.1:{guarded.door.port}", **arguments)
    await comm.write(registering(allowed, status="running"))
    assert (await comm.read())["status"] == "OK"
    return comm


async def status_of(task: Any) -> str:
    """Wait until a task has ended; return how."""
    while task.status == "pending":
        await asyncio.sleep(0.01)
    return str(task.status)


async def order_of(comm: Any, key: str) -> dict[str, Any]:
    """Return how a worker is told to run a task."""
    while True:
        for one in await comm.read():
            if one["op"] == "compute-task" and one["key"] == key:
                return dict(one)


@pytest.mark.parametrize(
    "hide", [ToPickle, Serialize, pickle.dumps], ids=["pickled", "serialized", "bytes"]
)
@pytest.mark.parametrize(
    "message",
    [
        {"op": "task-erred", "exception": "EVIL", "traceback": "EVIL"},
        {"op": "task-finished", "nbytes": 1, "type": "EVIL", "metadata": {"a": "EVIL"}},
        {"op": "log-event", "topic": "warn", "msg": {"category": "EVIL"}},
        {"op": "update-graph", "expr_ser": "EVIL", "keys": [], "priority": 1},
        {"op": "reschedule", "worker": "EVIL"},
        {"op": "EVIL"},
    ],
    ids=lambda message: str(message["op"]),
)
def test_no_stream_of_a_worker_runs_code(
    guarded: FleetScheduler,
    admitted: Pass,
    tmp_path: Path,
    message: dict[str, Any],
    hide: Callable[[object], object],
) -> None:
    """Neither in the scheduler nor in the client, which has a task on that worker."""
    mark = tmp_path / "mark"
    evil = hide(Evil(mark))
    more = {"run_id": 1, "stimulus_id": "x", "startstops": [], "exception_text": "no"}
    task = guarded.client.submit(int, resources={"m": 1}, pure=False)
    sent: dict[str, Any] = {"key": task.key, **more}
    for name, text in message.items():
        sent[name] = evil if text == "EVIL" else text
        if text in ({"a": "EVIL"}, {"category": "EVIL"}):
            sent[name] = dict.fromkeys(text, evil)

    async def work() -> None:
        comm = await joined(guarded, admitted)
        order = await order_of(comm, task.key)
        end = {"op": "task-finished", "key": task.key, "nbytes": 1, "stimulus_id": "x"}
        for told in (sent, end):  # what is not passed on ends no connection
            await comm.write([{**told, "run_id": order["run_id"]}])
        await status_of(task)
        comm.abort()

    within(work())
    if message["op"] == "task-erred":
        assert str(task.exception()) == "the machine says: no"
    assert serves(guarded)
    assert not mark.exists()


def test_a_machine_says_nothing_of_anothers_tasks(
    guarded: FleetScheduler, admitted: Pass
) -> None:
    """A task ends when its own worker says so."""
    other = guarded.door.admit("other", "other-0", NO_TUNNEL, 0)
    task = guarded.client.submit(int, resources={"m": 1}, pure=False)

    async def work() -> tuple[str, str]:
        own, stranger = await joined(guarded, admitted), await joined(guarded, other)
        order = await order_of(own, task.key)
        told = {"key": order["key"], "run_id": order["run_id"], "nbytes": 1}
        told |= {"op": "task-finished", "stimulus_id": "x"}
        erred = {**told, "op": "task-erred", "exception_text": "no"}
        await stranger.write([told, erred])
        await asyncio.sleep(0.2)
        before = task.status
        await own.write([told])
        after = await status_of(task)
        own.abort()
        stranger.abort()
        return before, after

    assert within(work()) == ("pending", "finished")
    guarded.door.dismiss(["other-0"])


def test_a_machine_registers_only_what_is_its_own(
    guarded: FleetScheduler, admitted: Pass
) -> None:
    """Neither another name, nor an address that somebody would be connected to."""
    other = guarded.door.admit("other", "other-0", NO_TUNNEL, 0)
    for wrong in (
        {"name": "m-1"},
        {"address": "tls://127.0.0.1:22"},
        {"name": other.name, "address": other.address},
    ):
        answers = talk(guarded, admitted, registering(admitted, **wrong))
        refusal = {"status": "error", "message": "no such worker", "time": 0}
        assert answers[0] == refusal, wrong
    assert not guarded.door.joined(["other-0"])
    guarded.door.dismiss(["other-0"])
    assert talk(guarded, other, registering(other))[0] == refusal


def test_a_machine_is_alive_for_itself_only(
    guarded: FleetScheduler, admitted: Pass
) -> None:
    """And says for itself only that it goes."""
    other = guarded.door.admit("other", "other-0", NO_TUNNEL, 0)
    for name in ("heartbeat_worker", "unregister"):
        message = {"op": name, "address": other.address, "metrics": METRICS}
        (answer,) = talk(guarded, admitted, message)
        assert isinstance(answer, OSError), name
        (answer,) = talk(guarded, admitted, {**message, "address": admitted.address})
        assert not isinstance(answer, OSError), name
    guarded.door.dismiss(["other-0"])


def test_nobody_else_gets_in(guarded: FleetScheduler, admitted: Pass) -> None:
    """Who reaches the port has no certificate, or one of another fleet."""
    stranger = Pass("m-0", admitted.address, Authority().certify("m"))
    arguments = security_of(stranger).get_connection_args("worker")
    address = f"tls://127.0.0.1:{guarded.door.port}"

    async def enter(**given: Any) -> None:
        comm = await connect(address, timeout=2, **given)
        comm.abort()

    with pytest.raises(OSError, match=r"\S"):
        within(enter(**arguments))
    bare = ssl.create_default_context(cadata=admitted.certificate.authority)
    bare.check_hostname = False
    with pytest.raises(OSError, match=r"\S"):
        within(enter(ssl_context=bare, require_encryption=True))
    assert serves(guarded)


@pytest.mark.parametrize(
    "sent",
    [
        struct.pack("Q", MOST_BYTES + 1),
        struct.pack("Q", 1 << 63),
        struct.pack("QQ", 8, 0),
        struct.pack("QQ", 8, 1 << 60),
        struct.pack("QQQ", 16, 1, 1 << 60),
        struct.pack("QQQQ", 24, 2, 1, 1 << 60) + b"\x80",
        struct.pack("QQQ", 17, 1, 1) + b"\xc1",
        struct.pack("QQQ", 16 + 5000, 1, 5000) + b"\x91" * 5000,
    ],
    ids=["long", "longer", "empty", "frames", "frame", "rest", "garbage", "deep"],
)
def test_what_is_no_message_is_cut_off(
    guarded: FleetScheduler, admitted: Pass, tmp_path: Path, sent: bytes
) -> None:
    """Before its memory is asked for."""
    own = admitted.certificate
    context = ssl.create_default_context(cadata=own.authority)
    context.check_hostname = False
    (tmp_path / "c").write_text(own.certificate)
    (tmp_path / "k").write_text(own.key)
    context.load_cert_chain(tmp_path / "c", tmp_path / "k")

    async def send() -> bytes:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", guarded.door.port, ssl=context
        )
        writer.write(sent)
        heard = await asyncio.wait_for(reader.read(), 5.0)  # to the end: it is cut off
        writer.close()
        return heard

    assert b"pickle-protocol" in within(send())
    assert serves(guarded)


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 62), 1 << 62)
    | st.floats()
    | st.text(max_size=5)
    | st.binary(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["op", "key", "run_id", "nbytes", "status", "metrics", "address"]
            )
            | st.sampled_from(
                ["name", "startstops", "start", "stop", "action", "__Enum__"]
            )
            | st.sampled_from(["__Pickled__", "__Serialized__", "stimulus_id", "reply"]),
            inner
            | st.sampled_from(
                ["task-erred", "task-finished", "register-worker", "running"]
            )
            | st.sampled_from(["heartbeat_worker", "compute"]),
            max_size=8,
        )
    ),
    max_leaves=12,
)


def is_plain(value: object) -> bool:
    """Tell whether a value is made of what no code can hide in."""
    if isinstance(value, dict):
        return all(isinstance(k, str) and is_plain(v) for k, v in value.items())
    if isinstance(value, list):
        return all(map(is_plain, value))
    return value is None or value == b"" or type(value) in (bool, int, float, str)


@settings(max_examples=60)
@given(message=plain)
def test_what_passes_is_plain(message: object) -> None:
    """Any message is refused, or gives one of our fields, of words and numbers."""
    read = decoded(msgpack.packb(message))
    for clean in (report, call):
        if clean is call and not isinstance(read, Mapping):
            continue
        try:
            passed = clean(cast("Any", read))
        except RefusedError:
            continue
        if passed is not None:
            made = passed.pop("exception", None)
            assert made is None or type(made) is Serialize
            assert is_plain(passed)


@given(message=st.binary(max_size=200))
def test_any_bytes_are_a_message_or_are_refused(message: bytes) -> None:
    """Nothing else is raised."""
    try:
        decoded(message)
    except RefusedError:
        return
