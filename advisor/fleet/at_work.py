"""A Dask worker on a rented machine; needs Dask, and nothing of advisor.

Usage: ``python at_work.py SETTINGS``. The file of settings has a private key and is
removed once it is read. It listens on 127.0.0.1 alone, and ends with its scheduler.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import dask
from distributed import Security, Worker
from distributed.comm.registry import backends, get_backend

LOOPBACK = "127.0.0.1"


async def work(settings: dict[str, Any]) -> None:
    """Join the scheduler, and work for it until it goes."""
    # The scheduler knows the worker by an address of that scheme; it is TLS.
    backends["guarded"] = get_backend("tls")
    security = Security(
        require_encryption=True,
        tls_ca_file=settings["authority"],
        tls_worker_cert=settings["certificate"],
        tls_worker_key=settings["key"],
    )
    worker = await Worker(
        settings["scheduler"],
        name=settings["name"],
        nthreads=1,
        resources=settings["resources"],
        security=security,
        host=f"tls://{LOOPBACK}",
        port=settings["port"],
        protocol="tls",
        contact_address=settings["address"],
        dashboard_address=f"{LOOPBACK}:0",
        local_directory=settings["folder"],
        death_timeout=settings["death_timeout_s"],
    )
    await worker.finished()


def main() -> None:
    """Read the settings and work."""
    path = Path(sys.argv[1])
    settings = json.loads(path.read_text(encoding="utf-8"))
    path.unlink()
    with dask.config.set(settings["dask"]):
        asyncio.run(work(settings))


if __name__ == "__main__":
    main()
