"""CPUs: what each model is, and which model a host's name means."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from pathlib import Path

from advisor.base.columns import read_csv, typed
from advisor.base.errors import UsageError
from advisor.hardware.families import USUAL_LOG_SD, Rule, Score, load_rules, rule_of
from advisor.hardware.names import cpu_key, cpu_words, stated_cores

_TABLE = Path(__file__).parent / "data" / "cpus.csv"

_SINGLE_SOCKET = re.compile(r"epyc \d\w\w\d(p?)")


@dataclass(frozen=True, slots=True)
class Cpu:
    """One CPU model; an unknown figure is NaN.

    Attributes
    ----------
    name : as published
    key : the name normalized, see `advisor.hardware.names.cpu_key`
    cores, threads : of one socket
    base_ghz, boost_ghz : nominal clocks, the boost of a single core
    year : in which the model was first seen in the published lists
    microarchitecture : such as ``"Zen 2"``
    segment : ``"server"``, ``"workstation"``, ``"desktop"`` or ``"laptop"``
    pcie_gen : PCIe generation of its own lanes
    l3_mb : L3 cache of one socket, MB
    single_thread_score : PassMark single-thread score, never unknown
    score_basis : ``"passmark"``; ``"geekbench6"``, bridged from Geekbench 6
        single-core: ln PassMark = 2.302 + 0.759 ln Geekbench;
        ``"microarchitecture"``, boost clock x median score per GHz of boost of
        the CPUs of the same microarchitecture; or ``"family"``, see `FamilyCpu`
    class_score : that product for every CPU, NaN where its class has too few
    source : where the figures come from
    """

    name: str
    key: str
    cores: float
    threads: float
    base_ghz: float
    boost_ghz: float
    year: float
    microarchitecture: str
    segment: str
    pcie_gen: float
    l3_mb: float
    single_thread_score: float
    score_basis: str
    class_score: float
    source: str


@dataclass(frozen=True, slots=True)
class TypicalCpu(Cpu):
    """A CPU whose cores are in no table: those typical of its family.

    Attributes
    ----------
    threads_log_sd : standard deviation of the logarithm of the threads
    most_threads : most hardware threads of one socket, NaN where the name states none
    sockets : most sockets of a host, NaN where the name does not tell
    """

    threads_log_sd: float
    most_threads: float
    sockets: float


@dataclass(frozen=True, slots=True)
class FamilyCpu(TypicalCpu):
    """A CPU that is in no table, as its name describes it: see `hardware.families`.

    Cores and threads are the typical ones of the family, NaN where the name states none.

    Attributes
    ----------
    score_log_sd : standard deviation of the logarithm of the score
    """

    score_log_sd: float


_COLUMNS = tuple(field.name for field in fields(Cpu))
_KEY, _MICROARCHITECTURE = map(_COLUMNS.index, ("key", "microarchitecture"))
_MOST_NAMED = 5  # CPUs that an error lists
_BRANDS = ("", "Xeon ", "Core ")
_MOST_NAMES = 65_536  # whose meaning is remembered


_UNKNOWN = Cpu(
    *("", "", *(math.nan,) * 5, "", "", *(math.nan,) * 3, "family", math.nan, "")
)


class CpuTable:
    """The known CPUs.

    Lines become `Cpu` objects when they are asked for: a ranking needs a few dozen
    of more than a thousand.

    Parameters
    ----------
    lines : the CPUs as the table's cells, in the order of the fields; each key once
    """

    __slots__ = ("_identified", "_lines", "_meant")

    def __init__(self, lines: Iterable[Sequence[str]]) -> None:
        self._lines = {line[_KEY]: line for line in lines}
        self._meant: dict[str, Cpu | None] = {}
        self._identified: dict[str, Cpu | None] = {}

    def __len__(self) -> int:
        return len(self._lines)

    @property
    def rows(self) -> tuple[Cpu, ...]:
        """All CPUs, in the table's order."""
        return tuple(_cpu(line) for line in self._lines.values())

    def resolve(self, name: str | None) -> Cpu | None:
        """Return the CPU that a host's name means, None where it is not known.

        Virtual, brand-only and absent names are unknown, and so is every model
        that is not in the table: nothing is guessed from a similar name. One rule
        goes beyond equality: an EPYC and its single-socket "P" are one chip with
        the same clocks, and either stands in for the other. Cores that the table lacks
        are those that the name states, or else those of the family: of one that has
        several numbers of them it is a `TypicalCpu`.
        """
        if not name:
            return None
        if name in (meant := self._meant):
            return meant[name]
        found = self._resolve(name)
        if len(meant) >= _MOST_NAMES:  # another thread's look-up keeps the full one
            meant = self._meant = {}
        meant[name] = found
        return found

    def identify(self, name: str | None) -> Cpu | FamilyCpu | None:
        """Return the CPU that a host's name means, else what the name says of it.

        That is a `FamilyCpu`, and None where the name shows no family either.
        """
        known = self.resolve(name)
        if known is not None or not name:
            return known
        if name in (identified := self._identified):
            return identified[name]
        found = self._of_family(name)
        if len(identified) >= _MOST_NAMES:
            identified = self._identified = {}
        identified[name] = found
        return found

    def find(self, query: str) -> Cpu | FamilyCpu:
        """Return the one CPU that a user means, who need not write all of its name.

        A CPU of the table whose name has all the words of the query, such as "7980X",
        "i7-12700" or "Ryzen 5600x"; of several the one that has the fewest others.

        Raises
        ------
        advisor.base.errors.UsageError
            if no CPU is called so, and the name shows no family, or several are
        """
        if (known := self.resolve(query)) is not None:
            return known
        words = frozenset(cpu_words(query).split())
        named = [key for key in self._lines if words <= frozenset(key.split())]
        if any(map(_is_model, words)) and named:
            fewest = min(len(key.split()) for key in named)
            rows = [_cpu(self._lines[k]) for k in named if len(k.split()) == fewest]
            if len(rows) > 1:
                names = ", ".join(cpu.name for cpu in rows[:_MOST_NAMED])
                raise UsageError(f"several CPUs are called {query!r}: {names}")
            return rows[0]
        for brand in _BRANDS:  # which people leave out
            if (found := self.identify(f"{brand}{query}")) is not None:
                return found
        raise UsageError(self._unknown(query))

    def _resolve(self, name: str) -> Cpu | None:
        line = self._lines.get(key := cpu_key(name))
        if line is None and (twin := _SINGLE_SOCKET.fullmatch(key)):
            other = key.removesuffix("p") if twin[1] else f"{key}p"
            line = self._lines.get(other)
        if line is None:
            return None
        cpu = _cpu(line)
        return self._with_cores(cpu, name) if math.isnan(cpu.cores) else cpu

    def _with_cores(self, cpu: Cpu, name: str) -> Cpu:
        """Return a CPU of the table, whose cores that lacks, with those by its name."""
        rule = rule_of(cpu.key, load_rules())
        if rule is None or math.isnan(rule.cores.most):
            return replace(cpu, cores=stated_cores(name))
        rule = _stated(rule, name)
        cores, threads = _typical(rule, self._kin(rule))
        whole = replace(cpu, cores=cores, threads=threads)
        if rule.threads.least == rule.threads.most:
            return whole
        return TypicalCpu(
            **asdict(whole),
            threads_log_sd=rule.threads.log_sd,
            most_threads=rule.threads.most,
            sockets=rule.sockets,
        )

    def _kin(self, rule: Rule) -> list[Cpu]:
        """Return the CPUs of the same microarchitecture."""
        return [
            _cpu(line)
            for line in self._lines.values()
            if line[_MICROARCHITECTURE] == rule.microarchitecture
        ]

    def _of_family(self, name: str) -> FamilyCpu | None:
        words = cpu_words(name)
        rule = rule_of(words, load_rules())
        if rule is None:
            return None
        rule = _stated(rule, name)
        kin = self._kin(rule)
        members = [cpu for cpu in kin if rule.matches(cpu.key)]
        cores, threads = _typical(rule, kin)
        score = rule.score or _score(members, kin, rule)
        if score is None:
            return None
        return FamilyCpu(
            **asdict(_UNKNOWN)
            | {
                "name": name,
                "key": words,
                "cores": cores,
                "threads": threads,
                "microarchitecture": rule.microarchitecture,
                "segment": rule.segment,
                "single_thread_score": score.value,
                "source": rule.source,
            },
            score_log_sd=score.log_sd,
            threads_log_sd=rule.threads.log_sd,
            most_threads=rule.threads.most,
            sockets=rule.sockets,
        )

    def _unknown(self, query: str) -> str:
        words = cpu_words(query)
        models = tuple(word for word in words.split() if _is_model(word))
        by_key = {line[_KEY]: line[0] for line in self._lines.values()}
        begun = [key for key in by_key for w in key.split() if w.startswith(models)]
        close = begun or difflib.get_close_matches(words, by_key, n=3, cutoff=0.7)
        hint = ", ".join(by_key[key] for key in close[:_MOST_NAMED])
        advice = f"did you mean {hint}?" if hint else "'advisor cpus' lists those known"
        return f"no CPU is called {query!r}; {advice}"


def _stated(rule: Rule, name: str) -> Rule:
    """Return the rule with the cores that a name states, if it states any."""
    stated = stated_cores(name)
    if not stated > 0.0 or math.isnan(rule.cores.most):
        return rule
    return rule.with_cores(stated)


def _typical(rule: Rule, kin: Sequence[Cpu]) -> tuple[float, float]:
    """Return the typical cores and threads, by the members whose own are known."""
    known = [cpu for cpu in kin if cpu.cores > 0.0 and rule.matches(cpu.key)]
    return rule.typical([cpu.cores for cpu in known], [cpu.threads for cpu in known])


def _score(members: Sequence[Cpu], kin: Sequence[Cpu], rule: Rule) -> Score | None:
    """Return the score of a rule's members; of its kind of chip where it has none.

    Then the family may be off from its kind by as much as one member is from another.
    """
    if members:
        return Score.of_members([cpu.single_thread_score for cpu in members])
    alike = [cpu for cpu in kin if not rule.segment or cpu.segment == rule.segment]
    if not (alike or kin):
        return None
    kind = Score.of_members([cpu.single_thread_score for cpu in alike or kin])
    return Score(kind.value, math.hypot(kind.log_sd, USUAL_LOG_SD))


def _is_model(word: str) -> bool:
    """Say whether a word of a name is that of one model: "7980x", not "i7" or "v4"."""
    return cpu_key(word) != ""


@cache
def load_cpus() -> CpuTable:
    """Load the CPU table that ships with the package, once per process."""
    return CpuTable(read_csv(_TABLE, _COLUMNS))


def _cpu(cells: Sequence[str]) -> Cpu:
    """Return one line of the table."""
    return Cpu(**typed(Cpu, dict(zip(_COLUMNS, cells, strict=True))))
