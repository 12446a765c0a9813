"""An instance of Vast.ai as its JSON has it, read into an `Instance`."""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Mapping
from typing import Any

from advisor.base.errors import BadAnswerError
from advisor.market.lifecycle import Endpoint, Instance
from advisor.market.offers import HOURS_PER_MONTH, MOST_GPUS
from advisor.market.values import read_id, read_number, read_text

_SSH = "22/tcp"
_UNKNOWN_STATUS = "unknown"  # the market's own word
_HOST_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}")


def read_instance(record: Any) -> Instance:
    """Return the instance of a record.

    What the record lacks, or has in a form that cannot be, is None or unknown; a
    status that nobody here knows is passed on as it is.

    Raises
    ------
    BadAnswerError
        if it is no JSON object or has no id: it might be any instance, or none
    """
    if not isinstance(record, Mapping):
        message = "the market sent something else in place of an instance; update advisor"
        raise BadAnswerError(message)
    label = record.get("label")
    return Instance(
        instance_id=contract_id(record.get("id")),
        label=label if isinstance(label, str) else "",
        status=_status(record.get("actual_status")),
        intended_status=_status(record.get("intended_status")),
        message=read_text(record.get("status_msg")),
        machine_id=read_id(record.get("machine_id")),
        host_id=read_id(record.get("host_id")),
        gpu_name=read_text(record.get("gpu_name")),
        num_gpus=_count(record.get("num_gpus")),
        usd_per_hour=_price(record.get("dph_total")),
        storage_usd_per_hour=_storage_usd_per_hour(record),
        is_bid=record.get("is_bid") is True,
        started_unix_s=_amount(record.get("start_date")),
        ssh=_ssh(record),
    )


def contract_id(value: Any) -> int:
    """Return the id of an instance.

    Raises
    ------
    BadAnswerError
        if it is no positive whole number
    """
    if type(value) is not int or not 0 < value < 2**63:
        message = "the market names an instance by an id that is no number; try again"
        raise BadAnswerError(message)
    return value


def _status(value: Any) -> str | None:
    """Return a status in the market's word; None where the market has none yet."""
    if value is None:
        return None
    return read_text(value) or _UNKNOWN_STATUS


def _amount(value: Any) -> float | None:
    """Return a number that is finite and not negative, else None."""
    number = read_number(value)
    return number if math.isfinite(number) and number >= 0 else None


def _price(value: Any) -> float | None:
    """Return a price in $/h, which is above zero, else None."""
    return _amount(value) or None


def _count(value: Any) -> int | None:
    """Return a number of GPUs, else None."""
    number = _amount(value)
    if number is None or not number.is_integer() or not 0 < number <= MOST_GPUS:
        return None
    return int(number)


def _storage_usd_per_hour(record: Mapping[str, Any]) -> float | None:
    """Return the $/h of an instance's disk: $/GB and month, times the GB it has."""
    price = _amount(record.get("storage_cost"))
    disk_gb = _amount(record.get("disk_space"))
    if price is None or disk_gb is None:
        return _amount(record.get("storage_total_cost"))
    return _amount(price * disk_gb / HOURS_PER_MONTH)


def _ssh(record: Mapping[str, Any]) -> tuple[Endpoint, ...]:
    """Return where ssh may answer: the machine itself, then the market's proxy."""
    ports = record.get("ports")
    mapped = ports.get(_SSH) if isinstance(ports, Mapping) else None
    first = mapped[0] if isinstance(mapped, list) and mapped else None
    direct = first.get("HostPort") if isinstance(first, Mapping) else None
    proxy_port = _amount(record.get("ssh_port"))
    runtype = record.get("image_runtype")
    if proxy_port is not None and isinstance(runtype, str) and "jupyter" in runtype:
        proxy_port += 1
    found = (
        _endpoint(record.get("public_ipaddr"), direct),
        _endpoint(record.get("ssh_host"), proxy_port),
    )
    return tuple(endpoint for endpoint in found if endpoint is not None)


def _endpoint(host: Any, port: Any) -> Endpoint | None:
    """Return host and port if they can be such: they become arguments of ssh."""
    name, number = host.strip() if isinstance(host, str) else "", read_id(port)
    if not (_is_host(name) and 0 < number < 2**16):
        return None
    return Endpoint(name, number)


def _is_host(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return _HOST_NAME.fullmatch(name) is not None
    return True
