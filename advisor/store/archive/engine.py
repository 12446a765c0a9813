"""DuckDB, opened so that it asks nobody and leaves nothing behind."""

from __future__ import annotations

import tempfile
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
            yield connection
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
