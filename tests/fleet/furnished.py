"""A simulated market whose machines are there, each with what any of them was brought."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from advisor.market.lifecycle import Endpoint
from advisor.simulator.clock import SimClock
from advisor.simulator.containers import Container
from advisor.simulator.local import LocalContainers
from advisor.simulator.networks import Network
from advisor.simulator.server import serve
from advisor.simulator.world import World
from tests.rental.conftest import START, Street


class Furnished(LocalContainers):
    """Machines to which Python and Dask are brought once for all of them.

    Attributes
    ----------
    shelf : pattern of folders, beside that of the machines, of what was brought before
    """

    shelf = "*/home/.advisor/python-*"

    def start(self, container: Container) -> Endpoint | None:
        own = self.folder / str(container.instance_id) / "home" / ".advisor"
        own.mkdir(parents=True, exist_ok=True)
        for brought in self.folder.glob(self.shelf):
            if not brought.is_symlink() and not (own / brought.name).exists():
                (own / brought.name).symlink_to(brought)
        return super().start(container)


class FurnishedBefore(Furnished):
    """Furnished machines that have what those of earlier tests were brought."""

    shelf = f"../../*/machines/{Furnished.shelf}"


def image_in(folder: Path) -> None:
    """Write what an image has on its path: the Python that is installed here."""
    folder.mkdir()
    for name in ("python", "python3"):
        # No link: by that, Python would not find its environment.
        (folder / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        (folder / name).chmod(0o755)


@contextmanager
def furnished(folder: Path, *, apart: bool = True) -> Iterator[Street]:
    """Open a calm market, whose machines are there where that can be.

    Their image has what is installed here.

    Parameters
    ----------
    apart : whether no machine reaches another one, or this computer, where that can be
    """
    image = folder / "image"
    image_in(image)
    apart = apart and not Network.missing()
    can_run = not LocalContainers.missing()
    host = Furnished(folder / "machines", apart) if can_run else None
    clock = SimClock.manual(START.timestamp())
    try:
        with (
            pytest.MonkeyPatch.context() as patch,
            serve(World(60, 3, clock, calm=True, host=host)) as running,
        ):
            patch.setenv("PATH", f"{image}:{os.environ['PATH']}")
            yield Street(running.world, running.url, folder, lambda *_: None)
    finally:
        if host is not None:
            host.close()
