"""What must hold after a schedule, by what the market itself knows and has logged."""

from __future__ import annotations

import json
import math
import signal
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from chaos_parts.faults import WAITED_S, lateness_s
from chaos_parts.machine_plans import WORK
from chaos_parts.returned import harm_done
from chaos_parts.scene import KEPT, KEY, Scene
from chaos_parts.truth import Contract, Launched

UNKNOWN = 7
"""Exit code that says: something may be rented, see 'advisor reconcile'."""

_MOST_TOGETHER_S = 120.0
_A_FAULT_S = 60.0
_TICK_S = 120.0
_TRAFFIC_USD = 0.05
_AN_HOUR_S = 3600.0


class Promises:
    """Looks at a scene whose lanes have ended.

    Parameters
    ----------
    scene : that was played

    Attributes
    ----------
    broken : what was found, for people
    told : what is no fault and worth a line
    """

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._launched = list(scene.launched)
        self.broken: list[str] = []
        self.told: list[str] = []

    def check(self) -> None:
        """Look at the launchers, reconcile, look at the market, and so to the end."""
        scene = self._scene
        self.broken += self._launchers()
        self.broken += self._together()
        self.broken += self._ended_by_others()
        self.broken += self._left_past_their_end()
        if not scene.settle():
            self.broken.append(f"reconcile does not settle: {self._last_words()}")
        self.broken += self._orphans()
        self.broken += self._kept()
        self._to_the_end()
        self.broken += self._strangers()
        self.broken += self._caps()
        self.broken += self._settling()
        self.broken += self._secrets()

    def _launchers(self) -> Iterator[str]:
        """Look at what each launcher said, and at what was rented when it ended."""
        for one in self._launched:
            step, name = one.step, f"{one.step.kind} {one.step.job} in lane {one.lane}"
            if one.code is None:
                yield f"{name} hangs"
            if "Traceback" in one.err:
                yield f"{name}: traceback: {one.err.strip().splitlines()[-1][:200]}"
            if step.kind == "rent" or (step.kind == "rented" and one.code != 0):
                yield from self._honest(one, name)
            elif step.kind in ("run", "rented"):
                yield from self._worked(one, name)
            elif step.kind == "release" and one.code == 0 and step.job:
                yield from self._released(one, name)
            if step.kind == "release" and step.job and not (one.met or one.signals):
                yield from self._released_without_ledger(one, name)

    def _honest(self, one: Launched, name: str) -> Iterator[str]:
        """Compare the exit code of `rent` with what was rented when it ended."""
        if self._scene.schedule.caps_usd is not None:
            return  # several launchers share the job
        mine = self._of(one.step.job)
        alive = [c for c in mine if c.created <= one.ended < c.ended]
        ended_by_killer = one.code in (None, -signal.SIGKILL)
        if one.code == 0:
            yield from self._handed(one, name, alive)
        elif one.code != UNKNOWN and not ended_by_killer:
            where = f" (signal at {one.where})" if one.where else ""
            said = f"{name}: exit {one.code}{where}"
            late = [c for c in mine if c.created > one.ended]
            lateness = max((lateness_s(fault) for *_, fault in one.met), default=0.0)
            if (alive or late) and lateness > WAITED_S:
                self.told.append(f"{said}; a request took effect {lateness:.0f} s later")
            elif alive:
                yield f"{said}, and {len(alive)} alive"
            elif late:
                yield f"{said}, and one appeared after that"

    def _handed(self, one: Launched, name: str, alive: list[Contract]) -> Iterator[str]:
        try:
            number = json.loads(one.out)["instance_id"]
        except (ValueError, KeyError, TypeError):
            yield f"{name}: exit 0 without a whole answer"
            return
        old = [c for c in alive if c.created < one.ended - _MOST_TOGETHER_S / 4]
        if number not in [c.number for c in alive]:
            ended = [c for c in self._of(one.step.job) if c.number == number]
            if not (ended and ended[0].ended == one.ended):  # released at once
                yield f"{name}: exit 0, and instance {number} is not alive"
        if len(old) > 1:
            yield f"{name}: exit 0, and {len(old)} alive"

    def _worked(self, one: Launched, name: str) -> Iterator[str]:
        """Look at a job that has ended: no machine is left, its results are here."""
        home = self._scene.data(one.step.place).parent
        if one.code in (0, 8):
            ours = [c for c in self._of(one.step.job) if not self._was_handed(c)]
            if any(c.created <= one.ended < c.ended for c in ours):
                yield f"{name}: exit {one.code}, and its machine is alive"
        starts = home / "project" / "results" / "starts"
        if one.code == 0 and one.step.script == WORK:
            said = starts.read_text(encoding="utf-8") if starts.exists() else "none"
            if said != "s\n":
                yield f"{name}: exit 0, and its results are {said!r}"
        for harm in harm_done(home):
            yield f"{name}: {harm}"
        if one is self._launched[-1] and one.code not in (0, 8) and not one.met:
            yield f"{name}: exit {one.code} though nothing is in its way"

    def _was_handed(self, contract: Contract) -> bool:
        """Say whether `rent` gave a machine to the user."""
        return any(
            f'"instance_id": {contract.number}' in one.out
            for one in self._launched
            if one.step.kind == "rent" and one.code == 0
        )

    def _released(self, one: Launched, name: str) -> Iterator[str]:
        handed = self._handed_before(one)
        if any(c.ended > one.ended for c in handed):
            yield f"{name}: exit 0, and what it was to end is alive"

    def _released_without_ledger(self, one: Launched, name: str) -> Iterator[str]:
        """With a market that is well, no state of the ledger keeps a machine alive."""
        if (one.step.file is None or one.step.file.what == "kill") and (
            not one.step.damage and not one.step.full_at
        ):
            return
        if any(c.ended > one.ended for c in self._handed_before(one)):
            yield f"{name}: exit {one.code}, its ledger fails and the machine stays"

    def _handed_before(self, one: Launched) -> list[Contract]:
        """Return what a launcher of the same computer had handed over before."""
        before = [
            other
            for other in self._launched
            if other.step.kind in ("rent", "run")
            and (other.code == 0 or other.step.kind == "run")
            and other.step.job == one.step.job
            and other.step.place == one.step.place
            and other.ended <= one.began
        ]
        jobs = {other.step.job for other in before}
        return [c for job in jobs for c in self._of(job) if c.created <= one.began]

    def _together(self) -> Iterator[str]:
        """Look for two machines of one launch at once."""
        if self._scene.schedule.caps_usd is not None:
            return
        for one in self._launched:
            if one.step.kind not in ("rent", "run", "rented"):
                continue
            spans = sorted(self._of(one.step.job), key=lambda c: (c.created, c.number))
            for first, second in pairwise(spans):
                if self._was_handed(first) and one.step.kind == "run":
                    continue  # the user's, beside the job's
                if second.created < one.began:
                    continue
                end = min(first.ended, second.ended, one.ended)
                stopped = sum(
                    max(min(end, until) - max(second.created, since), 0.0)
                    for since, until in one.stopped
                )
                together = end - second.created - stopped
                hampered = sum(at >= second.created for at, *_ in one.met)
                late = any(lateness_s(name) > WAITED_S for *_, name in one.met)
                if together <= _MOST_TOGETHER_S + _A_FAULT_S * hampered:
                    continue
                said = f"two machines of {one.step.job} for {together:.0f} s"
                if late:
                    self.told.append(said)
                else:
                    yield said

    def _ended_by_others(self) -> Iterator[str]:
        """Look for what was ended while its launcher worked on it, and unasked."""
        contracts = {contract.number: contract for contract in self._scene.contracts()}
        launchers = {
            one.step.job: one
            for one in self._launched
            if one.step.kind in ("rent", "run", "rented")
        }
        for at, number, by in self._scene.ended_by:
            contract = contracts.get(number)
            owner = launchers.get(contract.job) if contract else None
            if contract is None or owner is None or by.step.job == owner.step.job:
                continue
            others = self._of(contract.job)
            has_twin = any(
                c is not contract and c.created <= at < c.ended for c in others
            )
            is_asleep = any(since <= at for since, _ in owner.stopped)
            is_worked_on = owner.began <= at < owner.ended and at < contract.ends
            is_free = has_twin or is_asleep or by.step.kind == "release"
            if is_worked_on and not is_free:
                yield f"{by.step.kind} ended {number} that a launcher works on"

    def _left_past_their_end(self) -> Iterator[str]:
        """Look for what a `reconcile` that is content left past its end."""
        for one in self._launched:
            if one.step.kind != "reconcile" or one.code != 0 or one.met:
                continue
            for contract in self._scene.ours():
                if contract.ends + _TICK_S < one.began and one.ended < contract.ended:
                    yield f"reconcile, exit 0, leaves {contract.number} past its end"

    def _orphans(self) -> Iterator[str]:
        """Look for what is alive after `reconcile` and in no ledger as the user's."""
        scene = self._scene
        known = {
            entry.instance_id
            for place in scene.schedule.places
            for entry in scene.entries(place)
            if entry.state in KEPT
        }
        forgotten = scene.damaged_places()
        places = {one.step.job: one.step.place for one in self._launched}
        for contract in self._alive():
            if contract.number in known or places.get(contract.job) in forgotten:
                continue  # of a ledger that is lost, what is over ends, see `_to_the_end`
            yield f"orphan: instance {contract.number} of {contract.job}"
        alive = {contract.number for contract in self._alive()}
        for place in scene.schedule.places:
            for entry in scene.entries(place):
                if entry.absent_at is not None:
                    continue  # it is told as missing, and will be sure in a while
                if entry.state in KEPT and entry.instance_id not in alive:
                    yield f"the ledger of {place} has {entry.label}, the market has not"

    def _kept(self) -> Iterator[str]:
        """Look for what was handed over with exit 0, and ended before its end."""
        by_number = {contract.number: contract for contract in self._scene.contracts()}
        for one in self._launched:
            if one.step.kind != "rent" or one.code != 0:
                continue
            try:
                contract = by_number[json.loads(one.out)["instance_id"]]
            except (ValueError, KeyError, TypeError):
                continue  # told above
            if self._was_to_be_released(one) or contract.ended >= contract.ends:
                continue
            if contract.ended < math.inf and contract.reason != "end":
                at = contract.ended - one.ended
                yield f"{one.step.job}: exit 0, and ended {at:.0f} s later"

    def _was_to_be_released(self, one: Launched) -> bool:
        return any(
            other.step.kind == "release"
            and other.step.job in ("", one.step.job)
            and other.ended >= one.began
            for other in self._launched
        )

    def _to_the_end(self) -> None:
        """Let time pass beyond the end of each machine; then nothing is alive."""
        scene = self._scene
        ends = {contract.ends for contract in self._alive()}
        for place in scene.schedule.places:
            ends |= {one.ends_at for one in scene.entries(place) if one.is_open}
        for end in sorted(ends):
            scene.time.advance(max(end + 1.0 - scene.time.now, 0.0))
            if not scene.settle():
                self.broken.append(f"no end after the end: {self._last_words()}")
                return
        for contract in self._alive():
            self.broken.append(f"past its end: {contract.number} of {contract.job}")

    def _strangers(self) -> Iterator[str]:
        """Look at what the user has from the console, and at another account's."""
        numbers = {
            self._scene.console_id: "the user's own instance",
            self._scene.strangers_id: "another account's instance",
        }
        for contract in self._scene.contracts():
            name = numbers.get(contract.number)
            if name and contract.reason == "asked":
                yield f"{name} was ended"

    def _caps(self) -> Iterator[str]:
        cap = self._scene.schedule.caps_usd
        if cap is None:
            return
        ours = self._scene.ours()
        hourly = max((contract.usd_per_hour for contract in ours), default=0.0)
        total = sum(contract.usd for contract in ours)
        tick = len(ours) * (hourly * _TICK_S / _AN_HOUR_S + _TRAFFIC_USD)
        if total > cap + tick:
            yield f"a cap of ${cap:.2f}, and ${total:.2f} billed"

    def _settling(self) -> Iterator[str]:
        """Look at the reconciling at last: no traceback there either."""
        for one in self._scene.launched[len(self._launched) :]:
            if "Traceback" in one.err:
                yield f"reconcile: traceback: {one.err.strip().splitlines()[-1][:200]}"

    def _secrets(self) -> Iterator[str]:
        """Look for the key in all that was said and written."""
        for one in self._scene.launched:
            if KEY in one.out + one.err:
                yield f"the key is in the output of {one.step.kind}"
        for path in secret_files(self._scene.folder, KEY):
            yield f"the key is in {path.relative_to(self._scene.folder)}"

    def _last_words(self) -> str:
        last = self._scene.launched[-1]
        said = (last.err or last.out).strip().splitlines()
        return f"exit {last.code}, {said[-1][:200] if said else 'nothing said'}"

    def _of(self, job: str) -> list[Contract]:
        found: dict[str, list[Contract]] = defaultdict(list)
        for contract in self._scene.ours():
            found[contract.job].append(contract)
        return found[job]

    def _alive(self) -> list[Contract]:
        return [one for one in self._scene.ours() if one.ended == math.inf]


def secret_files(folder: Path, secret: str) -> Iterator[Path]:
    """Return the files below a folder that hold a secret."""
    for path in folder.rglob("*"):
        if (
            path.is_file()
            and not path.is_symlink()
            and secret.encode() in path.read_bytes()
        ):
            yield path
