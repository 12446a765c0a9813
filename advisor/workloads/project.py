"""What an ``advisor.toml`` says: a market, ``[workloads.NAME]``, and ``[rental]``.

All of it is checked whenever any of it is read: a cap in a table that nobody reads, for a
slip in its name, would be no cap.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Self

from advisor.workloads.parse import WORKLOADS, Parent, Parser
from advisor.workloads.profile import Workload
from advisor.workloads.settings import (
    OF_IMAGE,
    RENTAL,
    SETTINGS,
    Settings,
    wrong_setting,
)

MARKET = "market"
"""Key of the market that is asked where nobody names one."""

_NAME = re.compile(r"(?!file(?::|$))[A-Za-z0-9][\w-]*(?::[\w-]+)?")


@dataclass(frozen=True, slots=True)
class ProjectFile:
    """What an ``advisor.toml`` says.

    Attributes
    ----------
    profiles : name -> reader of a profile; each is read when it is asked for, so that a
        broken one hides no other
    settings : of rentals
    market : that is asked where nobody names one; None: not said
    """

    profiles: Mapping[str, Callable[[Parent], Workload]]
    settings: Settings
    market: str | None = None

    def without_images(self) -> Self:
        """Return the same without the images that it names: the user's code runs in them.

        That is what a file that is not the user's own, but root's, comes to.
        """

        def reader(read: Callable[[Parent], Workload]) -> Callable[[Parent], Workload]:
            def plain(parent: Parent) -> Workload:
                return replace(read(parent), image="", image_cuda="", image_archs="")

            return plain

        profiles = {name: reader(read) for name, read in self.profiles.items()}
        of_image = dict.fromkeys(OF_IMAGE)
        settings = replace(self.settings, **of_image)
        return replace(self, profiles=profiles, settings=settings)


def is_market_name(value: object) -> bool:
    """Say whether a value may name a market, perhaps with a detail: ``gpuhunt:aws``.

    A path does not: a file of offers that comes with a cloned project is not what
    anybody rents.
    """
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def parse_project(text: str, origin: str) -> ProjectFile:
    """Return what the text of an ``advisor.toml`` says.

    Raises
    ------
    advisor.base.errors.UsageError
        if it is no TOML, or has a table or a setting that is not known, or a value that
        cannot be right
    """
    plain = Parser(text, origin, None)
    document = plain.document()
    plain.refuse_unknown("", document, (MARKET, WORKLOADS, RENTAL))
    market = document.get(MARKET)
    if market is not None and not is_market_name(market):
        plain.refuse("the name of a market is expected, such as vast or sample", MARKET)
    found, table = plain.table(document, WORKLOADS), plain.table(document, RENTAL)
    plain.refuse_unknown(RENTAL, table, SETTINGS)
    if wrong := wrong_setting(table):
        name, expected = wrong
        plain.refuse(expected, name, RENTAL)

    def reader(name: str) -> Callable[[Parent], Workload]:
        def read(parent: Parent) -> Workload:
            parser = Parser(text, origin, parent, f"{WORKLOADS}.{name}")
            return parser.workload(plain.table(found, name), name)

        return read

    return ProjectFile({name: reader(name) for name in found}, Settings(**table), market)
