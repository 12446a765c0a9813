"""DuckDB, opened so that it asks nobody and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from advisor.base.errors import AdvisorError


@contextmanager
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database in memory; what does not fit in there is in a temporary folder.

    Raises
    ------
    advisor.base.errors.AdvisorError
        for what DuckDB says in the block
    """
    with tempfile.TemporaryDirectory(prefix="advisor-") as spill:
        connection = duckdb.connect(
            ":memory:",
            config={
                "temp_directory": spill,
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
            },
        )
        try:
            with _ended_by_signals(connection):
                yield connection
        except duckdb.InterruptException as error:
            raise KeyboardInterrupt from error
        except duckdb.Error as error:
            line = " ".join(str(error).split())[:300]
            message = f"the archive cannot be read or written: {line}"
            raise AdvisorError(message) from error
        except RuntimeError as error:
            if str(error) == "Query interrupted":  # what DuckDB makes of Ctrl-C
                raise KeyboardInterrupt from error
            raise
        finally:
            connection.close()


@contextmanager
def _ended_by_signals(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """End what is asked in a block when a signal comes.

    DuckDB looks for signals by itself, and then waits for its threads, which go on: about
    every second Ctrl-C ended nothing (duckdb 1.4 to 2.0).
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    hears, tells = os.pipe()
    os.set_blocking(tells, False)  # as a signal handler must have it
    before = signal.set_wakeup_fd(tells, warn_on_full_buffer=False)

    def listen() -> None:
        while came := os.read(hears, 64):
            if signal.SIGINT in came or signal.SIGTERM in came:
                connection.interrupt()

    listener = threading.Thread(target=listen, name="archive", daemon=True)
    listener.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        os.close(tells)
        listener.join()
        os.close(hears)
