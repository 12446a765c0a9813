"""Work in the user's file that a full disk must not stop."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from advisor.base.errors import StoreFullError
from advisor.store.database import open_store
from advisor.store.reserve import Reserve

_Result = TypeVar("_Result")


def in_kept_room(folder: Path, work: Callable[[sqlite3.Connection], _Result]) -> _Result:
    """Do something in the file, on a full disk in the room that was kept for it.

    Parameters
    ----------
    folder : the user's data folder
    work : is done again where it was said to fail for want of room, which it may not
        have: it must see what is done already

    Raises
    ------
    advisor.base.errors.StoreError
        if the file cannot be read or written
    """
    reserve, given_up = Reserve(folder), False
    try:
        while True:
            try:
                with open_store(folder) as store:
                    return work(store)
            except StoreFullError:
                if not reserve.give_up():
                    raise
                given_up = True
    finally:
        if given_up:
            reserve.renew()
