"""What Dask's worker tells its scheduler, made anew of words and numbers.

Nothing of it is unpickled: a message is read as plain data, whatever was pickled in it is
left out, and only the fields that a worker must tell are passed on, each checked.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import msgpack
from distributed.core import Status
from distributed.protocol import Serialize

from advisor.base.errors import RemoteError
from advisor.rental.remote.channel import last_line

_LONGEST_WORD = 1000
_MOST_TIMES = 200
_COMPUTE = "compute"
_IO = {"read_bps": 0, "write_bps": 0}
_LOAD = {
    "cpu": 0,
    "event_loop_interval": 0,
    "host_disk_io": _IO,
    "host_net_io": _IO,
    "memory": 0,
    "num_fds": 0,
    "time": 0,
}
"""What is shown of a worker's load."""

_HOLDS_NOTHING = {
    "bandwidth": {"total": 1e8, "workers": {}, "types": {}},  # Dask's assumption at first
    "digests_total_since_heartbeat": {},
    "managed_bytes": 0,
    "spilled_bytes": {"memory": 0, "disk": 0},
    "transfer": {"incoming_bytes": 0, "outgoing_bytes": 0},
}
"""What Dask's scheduler reckons with besides; it does not look whether that is there."""


class RefusedError(Exception):
    """A message that no worker of ours sends."""


class _Withheld:
    """Stands for what was pickled."""


def _hook(item: dict[Any, Any]) -> object:
    """Return an item of a message, without what Dask would unpickle or import."""
    if not {"__Serialized__", "__Pickled__", "__Enum__", "__Set__"}.isdisjoint(item):
        return _Withheld()
    return item


def decoded(message: bytes) -> object:
    """Return a message of Dask's as plain data.

    Raises
    ------
    RefusedError
        if it is none
    """
    try:
        return msgpack.unpackb(
            message, object_hook=_hook, use_list=False, strict_map_key=False
        )
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        message_ = "no message of Dask's"
        raise RefusedError(message_) from error


def _word(value: object) -> str:
    if isinstance(value, str) and len(value) <= _LONGEST_WORD:
        return value
    message = "no word where there must be one"
    raise RefusedError(message)


def _whole(value: object) -> int:
    if isinstance(value, int) and 0 <= value < 1 << 62:
        return int(value)
    message = "no whole number where there must be one"
    raise RefusedError(message)


def _status(value: object) -> str:
    if isinstance(value, str) and value in Status.__members__:
        return value
    message = "no status of a worker"
    raise RefusedError(message)


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) and abs(value) < 1e18


def _figures(value: object, shape: Mapping[str, Any] = _LOAD) -> dict[str, Any]:
    """Return the figures of a shape; what a worker does not say is 0."""
    told = value if isinstance(value, Mapping) else {}
    return {
        name: _figures(told.get(name), inner)
        if isinstance(inner, Mapping)
        else max(told[name], 0)
        if _is_finite(told.get(name))
        else 0
        for name, inner in shape.items()
    }


def _metrics(value: object) -> dict[str, Any]:
    """Return what a worker says of its load, and that it neither sends nor holds data."""
    return {**_figures(value), **_HOLDS_NOTHING}


def _times(value: object) -> list[dict[str, Any]]:
    """Return when a task ran, by the worker's own clock."""
    if not isinstance(value, tuple):
        return []
    return [
        {"action": _COMPUTE, "start": float(one["start"]), "stop": float(one["stop"])}
        for one in value[:_MOST_TIMES]
        if isinstance(one, Mapping)
        and one.get("action") == _COMPUTE
        and _is_finite(one.get("start"))
        and _is_finite(one.get("stop"))
    ]


def _finished(message: Mapping[Any, Any]) -> dict[str, Any]:
    return {
        "status": "OK",
        "key": _word(message.get("key")),
        "run_id": _whole(message.get("run_id")),
        "nbytes": _whole(message.get("nbytes")),
        "type": b"",
        "typename": "object",
        "metadata": {},
        "thread": None,
        "startstops": _times(message.get("startstops")),
    }


def _erred(message: Mapping[Any, Any]) -> dict[str, Any]:
    text = message.get("exception_text")
    reason = last_line(text.encode(errors="replace")) if isinstance(text, str) else ""
    return {
        "status": "error",
        "key": _word(message.get("key")),
        "run_id": _whole(message.get("run_id")),
        "exception": Serialize(RemoteError(f"the machine says: {reason or 'nothing'}")),
        "traceback": None,
        "exception_text": reason,
        "traceback_text": "",
        "thread": None,
        "startstops": _times(message.get("startstops")),
    }


_REPORTS: Mapping[str, Callable[[Mapping[Any, Any]], dict[str, Any]]] = {
    "task-finished": _finished,
    "task-erred": _erred,
    "release-worker-data": lambda message: {"key": _word(message.get("key"))},
    "worker-status-change": lambda message: {"status": _status(message.get("status"))},
}
"""What a worker may tell on its stream, and what of it is passed on."""

_CALLS: Mapping[str, Callable[[Mapping[Any, Any]], dict[str, Any]]] = {
    "register-worker": lambda message: {
        "address": _word(message.get("address")),
        "name": _word(message.get("name")),
        "status": _status(message.get("status")),
        "metrics": _metrics(message.get("metrics")),
    },
    "heartbeat_worker": lambda message: {
        "address": _word(message.get("address")),
        "metrics": _metrics(message.get("metrics")),
    },
    "unregister": lambda message: {"address": _word(message.get("address"))},
}
"""What a worker's connection may ask for, and what of it is passed on."""


def report(message: object) -> dict[str, Any] | None:
    """Return what a worker tells on its stream, made anew; None: nothing for us.

    Raises
    ------
    RefusedError
        if it is nothing that a worker tells
    """
    if not isinstance(message, Mapping):
        if message == "OK":
            return None
        what = "a stream of what are no messages"
        raise RefusedError(what)
    name = message.get("op")
    if name == "close-stream":
        return {"op": name}
    if not isinstance(name, str) or name not in _REPORTS:
        return None
    fields = _REPORTS[name](message)
    return {"op": name, **fields, "stimulus_id": _word(message.get("stimulus_id"))}


def call(message: Mapping[Any, Any]) -> dict[str, Any]:
    """Return what a worker's connection asks for, made anew.

    Raises
    ------
    RefusedError
        if no worker's does that
    """
    name = message.get("op")
    if not isinstance(name, str) or name not in _CALLS:
        what = f"a worker asks for {str(name)[:80]!r}"
        raise RefusedError(what)
    reply = message.get("reply") is not False
    return {"op": name, "reply": reply, **_CALLS[name](message)}


def handshake(message: object) -> dict[str, Any]:
    """Return how a peer says that it writes, made anew."""
    if not isinstance(message, Mapping):
        what = "no handshake"
        raise RefusedError(what)
    protocol = _whole(message.get("pickle-protocol"))
    return {"compression": None, "python": (), "pickle-protocol": protocol}
