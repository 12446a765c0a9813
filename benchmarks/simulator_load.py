"""A thousand searches a minute from a hundred keys at once, each answer checked.

Starts `advisor simulate` with 3,000 offers and a clock that stands still, lets every key
search at the market's rate for a minute, and compares each answer with a plain
evaluation of the query over the same world, built here from the same seed. One more key
asks faster than the market's rate: it must be refused, and served again after a rest.

    python benchmarks/simulator_load.py
"""

from __future__ import annotations

import contextlib
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from advisor.simulator.clock import SimClock
from advisor.simulator.world import World

KEYS = 100
SEARCHES_A_KEY = 10
OFFERS = 3000
SEED = 20_261_126
PACE_S = 6.0

_NAMES = ("RTX 4090", "RTX 3090", "RTX 5090", "A100 SXM4", "H100 SXM", "L40S")
_COUNTRIES = ("US", "DE", "SE", "CA", "FR")


@dataclass
class Seen:
    """What the clients met.

    Attributes
    ----------
    answers : query and the offers that came
    seconds : of each search
    failures : what was no answer
    statuses : of the key that is too fast, in order
    """

    answers: list[tuple[dict[str, Any], list[dict[str, Any]]]] = field(
        default_factory=list
    )
    seconds: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)


def main() -> None:
    """Run the load, check every answer and print what was met."""
    seen = Seen()
    with simulator() as url:
        now = httpx.get(f"{url}/__clock", trust_env=False).json()["now_unix_s"]
        threads = [
            threading.Thread(target=_search_steadily, args=(url, number, seen))
            for number in range(KEYS)
        ]
        threads.append(threading.Thread(target=_search_too_fast, args=(url, seen)))
        began = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        passed_s = time.perf_counter() - began
    world = World(OFFERS, SEED, SimClock.manual(now))
    offers = [record for _, record in world.fleet.offers(world.now)]
    wrong = sum(
        found != [brief(one) for one in naive_search(offers, query, now)]
        for query, found in seen.answers
    )
    seconds = sorted(seen.seconds)
    print(f"{len(seen.answers)} searches by {KEYS} keys over {len(offers)} offers "
          f"in {passed_s:.1f} s: {wrong} wrong, {len(seen.failures)} failed, "
          f"{sum(bool(found) for _, found in seen.answers)} not empty")  # fmt: skip
    print(f"latency: median {seconds[len(seconds) // 2] * 1e3:.0f} ms, 99 % "
          f"{seconds[len(seconds) * 99 // 100] * 1e3:.0f} ms, "
          f"longest {seconds[-1] * 1e3:.0f} ms")  # fmt: skip
    print("the key that is too fast:", *seen.statuses)
    for failure in seen.failures[:5]:
        print(failure)
    refused = 429 in seen.statuses and seen.statuses[-1] == 200
    if wrong or seen.failures or not refused:
        sys.exit("the load was not served as it should be")


@contextlib.contextmanager
def simulator() -> Iterator[str]:
    """Run the simulator as a program of its own; yield where it answers."""
    command = [sys.executable, "-m", "advisor", "simulate", "--port", "0"]
    command += ["--offers", str(OFFERS), "--seed", str(SEED), "--clock", "manual"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process.stdout.readline().split()[0] if process.stdout else ""
        finally:
            process.terminate()


def draw_query(draws: random.Random) -> dict[str, Any]:
    """Return a query such as people send, with one to four conditions."""
    price = draws.uniform(0.1, 3)
    conditions: list[tuple[str, dict[str, Any]]] = [
        ("gpu_name", {"in": draws.sample(_NAMES, 2)}),
        ("gpu_name", {"eq": draws.choice(_NAMES)}),
        ("gpu_name", {"notin": draws.sample(_NAMES, 3)}),
        ("num_gpus", {"gte": draws.choice([1, 2, 4]), "lt": "9"}),
        ("dph_total", {"gte": price / 3, "lte": price}),
        ("reliability", {"gt": draws.uniform(0.9, 1)}),
        ("verified", {"eq": draws.random() < 0.8}),
        ("geolocation", {"in": draws.sample(_COUNTRIES, 2)}),
        ("cpu_ghz", {"neq": None}),
        ("duration", {"gte": draws.uniform(0, 20) * 86400}),
        ("disk_space", {"gte": draws.uniform(10, 500)}),
        ("static_ip", {"neq": draws.random() < 0.5}),
    ]
    column = draws.choice(["dph_total", "score", "dlperf_per_dphtotal", "cpu_ghz"])
    return {
        **dict(draws.sample(conditions, draws.randint(1, 4))),
        "type": draws.choice(["on-demand", "bid"]),
        "order": [[column, draws.choice(["asc", "desc"])], ["id", "asc"]],
        "limit": draws.choice([5, 64, 200]),
        "allocated_storage": draws.choice([5, 40, 250.5]),
    }


def naive_search(
    offers: Iterable[Mapping[str, Any]], query: Mapping[str, Any], now: float
) -> list[dict[str, Any]]:
    """Return what a query selects, written down once more as plainly as can be."""
    found = [_priced(offer, query, now) for offer in offers]
    for name, condition in query.items():
        if name not in ("type", "order", "limit", "allocated_storage"):
            for word, asked in condition.items():
                found = [one for one in found if _meets(_value(one, name), word, asked)]
    for name, direction in reversed(query["order"]):
        known = [one for one in found if one[name] is not None]
        unknown = [one for one in found if one[name] is None]
        known.sort(key=lambda one: one[name], reverse=direction == "desc")
        found = known + unknown
    return found[: query["limit"]]


def brief(offer: Mapping[str, Any]) -> dict[str, Any]:
    """Return what tells an offer and its price from others."""
    return {name: offer[name] for name in ("id", "dph_total", "duration", "gpu_ids")}


def _priced(
    offer: Mapping[str, Any], query: Mapping[str, Any], now: float
) -> dict[str, Any]:
    base = offer["dph_base"] if query["type"] == "on-demand" else offer["min_bid"]
    total = base + offer["storage_cost"] * query["allocated_storage"] / 720
    end = offer["end_date"]
    return {
        **offer,
        "dph_base": base,
        "dph_total": total,
        "dlperf_per_dphtotal": offer["dlperf"] / total,
        "duration": None if end is None else end - now,
    }


def _value(offer: Mapping[str, Any], name: str) -> Any:
    if name == "verified":
        return offer["verification"] == "verified"
    if name == "geolocation":
        return offer["geolocation"].split(",")[-1].strip()
    return offer[name]


def _meets(value: Any, word: str, asked: Any) -> bool:
    """Say whether a value meets a condition; what is unknown meets none but null's."""
    if asked is None:
        return (value is None) if word == "eq" else (value is not None)
    if value is None:
        return False
    if isinstance(asked, str) and not isinstance(value, str):
        asked = float(asked)
    results: dict[str, Callable[[], bool]] = {
        "eq": lambda: value == asked,
        "neq": lambda: value != asked,
        "lt": lambda: value < asked,
        "lte": lambda: value <= asked,
        "gt": lambda: value > asked,
        "gte": lambda: value >= asked,
        "in": lambda: value in asked,
        "notin": lambda: value not in asked,
    }
    return results[word]()


def _search_steadily(url: str, number: int, seen: Seen) -> None:
    """Search at the market's rate, from some moment of the first interval on."""
    draws = random.Random(number)  # noqa: S311
    began = time.monotonic() + draws.uniform(0, PACE_S)
    with _client(url, f"key-{number}") as client:
        for turn in range(SEARCHES_A_KEY):
            time.sleep(max(began + turn * PACE_S - time.monotonic(), 0.0))
            query = draw_query(draws)
            start = time.perf_counter()
            try:
                reply = client.post("/api/v0/bundles/", json=query)
                offers = reply.raise_for_status().json()["offers"]
            except (httpx.HTTPError, ValueError, KeyError) as error:
                seen.failures.append(f"{type(error).__name__}: {error}")
                continue
            seen.seconds.append(time.perf_counter() - start)
            seen.answers.append((query, [brief(offer) for offer in offers]))


def _search_too_fast(url: str, seen: Seen) -> None:
    """Search until refused, rest, search again."""
    query = {"num_gpus": {"eq": 1}, "limit": 1}
    with _client(url, "too-fast") as client:
        for pause_s in (0.5, 0.5, 0.5, 0.5, PACE_S, 0.0):
            reply = client.post("/api/v0/bundles/", json=query)
            seen.statuses.append(reply.status_code)
            time.sleep(pause_s)


def _client(url: str, key: str) -> httpx.Client:
    headers = {"Authorization": f"Bearer {key}"}
    # No proxy of the environment's stands between: the simulator is on this machine.
    return httpx.Client(base_url=url, headers=headers, timeout=30.0, trust_env=False)


if __name__ == "__main__":
    main()
