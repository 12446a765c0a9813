"""Where a machine may stand: countries, states and regions, as people write them.

``data/places.csv`` holds the codes of ISO 3166-1 (names after the time zone database's
``iso3166.tab``, in the public domain, and what else people call them) and those of the
states of the United States and the provinces of Canada after ISO 3166-2.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple

from advisor.base.columns import read_csv
from advisor.base.errors import UsageError
from advisor.market.values import CONTINENTS

_TABLE = Path(__file__).parent / "data" / "places.csv"

REGIONS: dict[str, frozenset[str]] = {
    name: frozenset(countries.split())
    for name, countries in {
        "europe": "AD AL AT BA BE BG BY CH CY CZ DE DK EE ES FI FO FR GB GE GI GR HR HU "
        "IE IS IT LI LT LU LV MC MD ME MK MT NL NO PL PT RO RS SE SI SK SM UA UK VA XK",
        "north-america": "CA MX US",
        "south-america": "AR BO BR CL CO EC GY PE PY SR UY VE",
        "asia": "AE AM AZ BD BH BN BT CN HK ID IL IN IQ JO JP KG KH KR KW KZ LA LB LK MM "
        "MN MO MV MY NP OM PH PK PS QA SA SG SY TH TJ TM TR TW UZ VN YE",
        "oceania": "AU FJ NC NZ PF PG",
        "africa": "AO BF BI BJ BW CD CG CI CM CV DJ DZ EG ET GA GH GM GN KE LY MA MG ML "
        "MU MW MZ NA NE NG RW SD SN SO TG TN TZ UG ZA ZM ZW",
    }.items()
}
"""Countries (ISO 3166-1 alpha-2) of the regions that `places_of` knows.

Continents after the UN geoscheme (M49), Mexico with North America, Cyprus and
Georgia with Europe.
"""

_EUROPEAN_UNION = (
    "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK"
)
_ALSO = {"GB": "UK"}  # codes that markets use for another


class State(NamedTuple):
    """A part of a country: its code, and its name in the spelling of `plain`."""

    country: str
    name: str


class Places(NamedTuple):
    """Countries and parts of countries, any of which will do."""

    countries: frozenset[str]
    states: frozenset[State]


def places_of(regions: Iterable[str]) -> Places:
    """Return what regions, countries and states in people's words mean together.

    A word is a region ("europe"), a country by code or name (DE, "Germany"), or a state
    of the United States or a province of Canada ("Texas", US-TX). Several may stand apart
    by commas; "Texas, US" and "Texas, US, NA", as markets write it, are Texas alone.

    Raises
    ------
    UsageError
        if a word is none of these, or both a country and a state
    """
    countries: set[str] = set()
    states: set[State] = set()
    for region in regions:
        inside: str | None = None  # the country of the place before
        words = list(filter(None, map(str.strip, region.split(","))))
        for word in words or [region]:
            if inside and word.upper() in {inside, *CONTINENTS}:
                continue
            meant = _meant(word)
            countries |= meant.countries
            states |= meant.states
            inside = next((state.country for state in meant.states), None)
    return Places(frozenset(countries), frozenset(states))


def plain(name: str) -> str:
    """Return a name in small letters without accents, the article and hyphens."""
    letters = unicodedata.normalize("NFKD", name.casefold())
    text = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return " ".join(text.replace("-", " ").replace("_", " ").split()).removeprefix("the ")


def states_in(geolocation: str, country: str) -> frozenset[State]:
    """Return the parts of a country that a market's text names, each as it stands."""
    return frozenset(State(country, plain(part)) for part in geolocation.split(","))


def _meant(word: str) -> Places:
    name, code = plain(word), word.upper()
    by_name, by_code = _tables()
    named = {key.replace("-", " "): REGIONS[key] for key in REGIONS}
    named["eu"] = frozenset(_EUROPEAN_UNION.split())
    if name in named:
        return Places(named[name], frozenset())
    found = by_name.get(name, ())
    if code in by_code or code in _ALSO.values():
        found = (code,)
    if len(found) > 1:
        codes = " or ".join(found)
        message = f"{word!r} is a country and a state: say {codes}"
        raise UsageError(message)
    if not found:
        close = difflib.get_close_matches(name, [*by_name, *named], n=1)
        hint = f"did you mean {close[0].title()!r}? Else " if close else ""
        known = ", ".join((*REGIONS, "eu"))
        message = f"no region {word!r}: {hint}use a name, a 2-letter code or {known}"
        raise UsageError(message)
    country, _, state = found[0].partition("-")
    if state:
        return Places(frozenset(), frozenset({State(country, by_code[found[0]])}))
    return Places(_codes(country), frozenset())


def _codes(country: str) -> frozenset[str]:
    """Return all codes by which markets call a country."""
    both = [pair for pair in _ALSO.items() if country in pair]
    return frozenset({country, *(code for pair in both for code in pair)})


@cache
def _tables() -> tuple[dict[str, tuple[str, ...]], dict[str, str]]:
    """Return name -> codes and code -> first name, both in the spelling of `plain`."""
    by_name: dict[str, tuple[str, ...]] = {}
    by_code: dict[str, str] = {}
    for code, listed in read_csv(_TABLE, ("code", "names")):
        names = [plain(name) for name in listed.split(";")]
        by_code[code] = names[0]
        for name in dict.fromkeys(names):
            by_name[name] = (*by_name.get(name, ()), code)
    return by_name, by_code
