"""The watchdog ends its machine: run by a real shell, against a real server."""

from __future__ import annotations

import email.utils
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from advisor.base.errors import UsageError
from advisor.market.lifecycle import SelfRelease
from advisor.rental.remote.watchdog import LONGEST_SCRIPT, onstart_script

PUBLIC = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI advisor"
RESTRICTED = "restricted-key-1"
HOUR_S, DAY_S = 3600.0, 86400.0
_NEEDED = ("sh", "cat", "date", "mkdir", "chmod", "touch", "grep", "mv")
_NEEDED += ("setsid", "sleep", "stat")

Asked = tuple[str, str, str, str]


@dataclass
class Market:
    """A server that takes down what is asked of it.

    `statuses` are its first answers to a machine of a number that asks for its end,
    `dates` what it tells the time with: by how many seconds its clock is ahead, or a
    text, one an answer and the last one again for all further ones; None: not at all.
    """

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    looked: list[Asked] = field(default_factory=list)
    statuses: dict[str, list[int]] = field(default_factory=dict)
    dates: dict[str, list[float | str | None]] = field(default_factory=dict)
    elsewhere: str = ""

    @property
    def release(self) -> SelfRelease:
        url = f"{self.url}/instances/$CONTAINER_ID/"
        return SelfRelease("DELETE", url, "{}", "CONTAINER_API_KEY")

    @property
    def ended(self) -> set[str]:
        """The instances that have asked for their end."""
        return {path.split("/")[2] for _, path, _, _ in self.asked}

    def date(self, number: str) -> str | None:
        dates = self.dates.get(number, [0.0])
        says = dates.pop(0) if len(dates) > 1 else dates[0]
        if not isinstance(says, float):
            return says
        return email.utils.formatdate(time.time() + says, usegmt=True)

    def ends(self, *numbers: str, within_s: float = 60.0) -> bool:
        end = time.monotonic() + within_s
        while not self.ended >= set(numbers) and time.monotonic() < end:
            time.sleep(0.02)
        return self.ended == set(numbers)

    def hears(self, count: int, within_s: float = 60.0) -> bool:
        end = time.monotonic() + within_s
        while len(self.asked) < count and time.monotonic() < end:
            time.sleep(0.02)
        return len(self.asked) >= count


@pytest.fixture
def market() -> Iterator[Market]:
    made = Market()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer(made.looked, 200)

        def do_DELETE(self) -> None:
            statuses = made.statuses.get(self.path.split("/")[2])
            self.answer(made.asked, statuses.pop(0) if statuses else 200)

        def answer(self, heard: list[Asked], status: int) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            key = self.headers.get("Authorization", "")
            heard.append((self.command, self.path, key, body.decode()))
            self.send_response_only(307 if made.elsewhere else status)
            date = made.date(self.path.split("/")[2])
            if date is not None:
                self.send_header("Date", date)
            if made.elsewhere:
                self.send_header("Location", made.elsewhere)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield made
        server.shutdown()
        thread.join()


@dataclass
class Machine:
    """A machine: a home folder, programs, and what its clock says."""

    home: Path
    number: int = 77
    tools: tuple[str, ...] = ()
    path: str = ""

    def set_clock(self, ahead_s: float) -> None:
        """Let `date` say another time than this computer."""
        program = self.home / "bin" / "date"
        if not program.exists():
            program.parent.mkdir(exist_ok=True)
            program.write_text(
                '#!/bin/sh\n[ "$1" = +%s ] || exec /bin/date "$@"\n'
                f"echo $(($(/bin/date +%s) + $(cat {self.home}/ahead)))\n"
            )
            program.chmod(0o755)
            self.path = f"{program.parent}:{self.path or os.environ['PATH']}"
        (self.home / "ahead").write_text(f"{ahead_s:.0f}")

    def boot(self, script: str) -> None:
        """Start it: it runs the script."""
        variables = {
            "HOME": str(self.home),
            "PATH": self.path or os.environ["PATH"],
            "CONTAINER_ID": str(self.number),
            "CONTAINER_API_KEY": RESTRICTED,
        }
        words = ["/bin/sh", "-c", script]
        subprocess.run(words, env=variables, check=True, timeout=20)

    def processes(self) -> dict[int, bytes]:
        """Return what runs on it, with its command line."""
        ours, found = f"HOME={self.home}\0".encode(), {}
        for process in Path("/proc").iterdir():
            try:
                if process.name.isdigit() and ours in (process / "environ").read_bytes():
                    found[int(process.name)] = (process / "cmdline").read_bytes()
            except OSError:
                continue
        return found

    def kill(self, *names: str) -> int:
        """Kill the processes whose program or script is called so; return how many."""
        count = 0
        for process, words in self.processes().items():
            called = {Path(word.decode()).name for word in words.split(b"\0")[:2]}
            if called & set(names):
                os.kill(process, signal.SIGKILL)
                count += 1
        return count


Build = Callable[..., Machine]


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Build]:
    """Return a function that sets up a machine, with only such programs if told."""
    built: list[Machine] = []

    def build_one(*tools: str, number: int = 77) -> Machine:
        made = Machine(tmp_path / f"machine-{len(built)}", number)
        made.home.mkdir()
        built.append(made)
        if tools:
            folder = made.home / "programs"
            folder.mkdir()
            for name in (*_NEEDED, *tools):
                here = os.path.realpath(sys.executable)
                found = here if name == "python3" else shutil.which(name)
                if found is None:
                    pytest.skip(f"{name} is not installed")
                (folder / name).symlink_to(found)
            made.path = str(folder)
        return made

    yield build_one
    for made in built:
        while processes := made.processes():  # each may begin another one meanwhile
            for process in processes:
                try:
                    os.kill(process, signal.SIGKILL)
                except ProcessLookupError:
                    continue


@pytest.fixture
def machine(build: Build) -> Machine:
    """Return a machine as most are."""
    return build()


def script_of(
    market: Market,
    lifetime_s: float,
    heartbeat_s: float | None = None,
    ordered_s_ago: float = 0.0,
) -> str:
    """Return the script of a rental that ends in so many seconds."""
    now = time.time()
    return onstart_script(
        market.release,
        now=now - ordered_s_ago,
        ends_at=now + lifetime_s,
        heartbeat_s=heartbeat_s,
        public_key=PUBLIC,
        every_s=1,
    )


def test_the_machine_ends_itself_when_its_lifetime_is_over(
    market: Market, machine: Machine
) -> None:
    """With its own key, its own id, and not before; what time it is it asks seldom."""
    machine.boot(script_of(market, 2.0))
    assert not market.hears(1, 0.8)
    assert market.hears(1)
    key = f"Bearer {RESTRICTED}"
    assert market.asked == [("DELETE", "/instances/77/", key, "{}")]
    assert market.looked[0] == ("GET", "/instances/77/", key, "")
    assert len(market.looked) <= 2


@dataclass(frozen=True)
class Case:
    """A machine that must end when its four seconds are over, neither before nor late.

    Its clock is ahead by `clock` seconds when it starts, by `later` afterwards; `dates`
    are what the market tells it, `note` what it finds noted of an earlier start.
    """

    clock: float = 0.0
    later: float | None = None
    dates: tuple[float | str | None, ...] = (0.0,)
    ordered_s_ago: float = 0.0
    note: str | None = None
    lifetime_s: float = 4.0


CASES = {
    "a clock that is slow": Case(clock=-290.0),
    "a clock that is fast": Case(clock=290.0),
    "a clock a day behind": Case(clock=-DAY_S),
    "a clock a day ahead": Case(clock=DAY_S),
    "a clock that is set back": Case(later=-HOUR_S),
    "a clock that is set forward": Case(later=DAY_S),
    "nobody tells the time, its own clock is right": Case(dates=(None,)),
    "nobody tells, its clock is slow": Case(clock=-290.0, dates=(None,)),
    "nobody tells, its clock is a day behind": Case(clock=-DAY_S, dates=(None,)),
    "nobody tells, its clock is a day ahead": Case(clock=DAY_S, dates=(None,)),
    "a date before the order": Case(dates=(-DAY_S,)),
    "a date that is slow": Case(dates=(-240.0,)),
    "a date that is none": Case(clock=DAY_S, dates=("Thu, 01 Jan 1970 00:00:00 GMT",)),
    "made anew, the market tells": Case(clock=-DAY_S, ordered_s_ago=4.5 * HOUR_S),
    "made anew, its clock tells": Case(ordered_s_ago=4.5 * HOUR_S, dates=(None,)),
    "the same boot, ten seconds without a watchdog": Case(
        dates=(None,), note="{boot} {ten_s_ago} 14 14 0 1\n", lifetime_s=DAY_S
    ),
    "another boot, whose uptime was less": Case(
        dates=(None,), note="another-boot 1 4 4 0 1\n", lifetime_s=DAY_S
    ),
    "another boot, whose uptime was more": Case(
        dates=(None,),
        note="another-boot 99999999 4 4 0 1\nof another\n",
        lifetime_s=DAY_S,
    ),
    "an empty note": Case(dates=(None,), note=""),
    "a torn note": Case(dates=(None,), note="another-boot 17 4"),
    "a note of other words": Case(dates=(None,), note="x y z a b c d"),
}


@pytest.mark.slow
def test_no_clock_ends_or_keeps_a_machine(market: Market, build: Build) -> None:
    """Slow, fast, set back, set forward; with and without a market that tells the time.

    Neither does a disk that is made anew hours after the rental, or a torn note.
    """
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    uptime_s = float(Path("/proc/uptime").read_text().split()[0])
    begun, names = time.monotonic(), {}
    for number, (name, case) in enumerate(CASES.items()):
        names[str(number)] = name
        market.dates[str(number)] = list(case.dates)
        machine = build(number=number)
        machine.set_clock(case.clock)
        if case.note is not None:
            (machine.home / ".advisor").mkdir()
            note = case.note.format(boot=boot, ten_s_ago=int(uptime_s) - 10)
            (machine.home / ".advisor" / "left").write_text(note)
        machine.boot(script_of(market, case.lifetime_s, None, case.ordered_s_ago))
        if case.later is not None:
            machine.set_clock(case.later)
    market.hears(1, begun + 2.5 - time.monotonic())
    if time.monotonic() - begun < 3.0:  # a busy computer boots them longer than they live
        assert {names[number] for number in market.ended} == set()
    market.ends(*names, within_s=12.0)
    assert {names[number] for number in market.ended} == set(CASES)


def test_a_start_after_the_end_is_no_new_lifetime(
    market: Market, machine: Machine
) -> None:
    """Whatever its clock says: it was stopped for two days."""
    machine.set_clock(-2 * DAY_S)
    machine.boot(script_of(market, -2 * DAY_S, ordered_s_ago=2 * DAY_S + HOUR_S))
    assert market.hears(1)


ODD = (
    DAY_S,
    100 * DAY_S,
    "Thu, 01 Jan 1970 00:00:00 GMT",
    "Sat, 28 Foo 2099 01:41:43 GMT",
    "Sat, a[$(touch odd)] Nov 2026 01:41:43 GMT",
    "soon",
)


def test_one_odd_date_ends_nothing(market: Market, build: Build) -> None:
    """What makes no sense is none; what may be right is asked once more."""
    machines = {number: build(number=number) for number in range(len(ODD))}
    for number, machine in machines.items():
        market.dates[str(number)] = [ODD[number], 0.0]
        machine.boot(script_of(market, HOUR_S))
    assert not market.hears(1, 2.0)
    for machine in machines.values():
        noted = (machine.home / ".advisor" / "left").read_text().split()
        assert HOUR_S - 10 < int(noted[3]) <= HOUR_S
    assert {path.split("/")[2] for _, path, _, _ in market.looked} == set("012345")


def test_a_date_is_read_as_it_is_meant(market: Market) -> None:
    """Two hundred days of this century, in whatever shell there is."""
    script = script_of(market, HOUR_S)
    start = script.index("heard() {")
    reader = script[start : script.index("by_curl()")]
    moments = [980_000_000 + 15_555_321 * day for day in range(200)]
    moments += [1_709_164_799, 1_709_164_800, 1_709_251_199, 1_709_251_200]
    dates = [f"Date: {email.utils.formatdate(one, usegmt=True)}" for one in moments]
    body = f'{reader}\nwhile read -r one; do printf "HTTP/2 401 \\r\\n%s\\r\\n" "$one" '
    for shell in ("sh", "bash", "busybox"):
        if shutil.which(shell) is None:
            continue
        words = [shell, "sh", "-c"] if shell == "busybox" else [shell, "-c"]
        said = subprocess.run(
            [*words, f"{body}| heard; done"],
            input="\n".join([*dates, ""]),
            capture_output=True,
            text=True,
            check=True,
        )
        assert said.stdout.splitlines() == [f"401 {one}" for one in moments]


@pytest.mark.slow
def test_a_silent_launcher_ends_the_machine(market: Market, build: Build) -> None:
    """Long before its lifetime is over, unless the machine is kept: its end holds then.

    Heartbeats count whatever their clock says. Where a machine is kept no longer the
    wait begins anew.
    """
    silent, heard, kept, taken_up = machines = [build(number=n) for n in range(4)]
    for machine in machines:
        lifetime_s = 3.5 if machine is kept else HOUR_S
        machine.boot(script_of(market, lifetime_s, heartbeat_s=1.0))
    for machine in (kept, taken_up):
        (machine.home / ".advisor" / "keep").touch()
    for ahead in (0.0, DAY_S, -DAY_S):
        time.sleep(0.8)
        at = time.time() + ahead
        os.utime(heard.home / ".advisor" / "heartbeat", (at, at))
    assert market.ended == {str(silent.number)}
    (taken_up.home / ".advisor" / "keep").unlink()
    assert market.ends(*"0123")


@pytest.mark.slow
def test_a_job_that_kills_one_of_two_ends_no_guard(market: Market, build: Build) -> None:
    """All shells, all that has its name, what watches the shell; and then the other.

    Also where there is no awk, and two shells watch each other.
    """
    usual = shutil.which("awk")
    machines = {
        name: build(*tools, number=number)
        for number, name, tools in (
            (1, "sh", ()),
            (2, "watchdog", ()),
            (3, "awk", ()),
            (4, "alone", ("curl",)),
        )
    }
    for one in machines.values():
        one.boot(script_of(market, 4.0))
    time.sleep(0.5)
    assert machines["sh"].kill("sh")
    assert machines["watchdog"].kill("watchdog")
    if usual is not None:
        assert machines["awk"].kill("awk", Path(os.path.realpath(usual)).name)
    shells = [
        pid for pid, words in machines["alone"].processes().items() if b"sh" in words
    ]
    os.kill(max(shells), signal.SIGKILL)
    time.sleep(2.2)
    if usual is not None:
        assert machines["sh"].kill("awk")
    assert machines["awk"].kill("sh")
    shells = [
        pid for pid, words in machines["alone"].processes().items() if b"sh" in words
    ]
    os.kill(min(shells), signal.SIGKILL)
    assert market.ends(*"1234")


def test_the_kernel_spares_the_watchdog(market: Market, machine: Machine) -> None:
    """When memory is short, where it may ask for that."""
    may = "{ echo -999 >/proc/self/oom_score_adj; } 2>/dev/null"
    if subprocess.run(["/bin/sh", "-c", may], check=False).returncode:
        pytest.skip("this process may not ask to be spared")
    machine.boot(script_of(market, HOUR_S))
    assert market.hears(0)
    time.sleep(0.5)
    scores = [
        Path(f"/proc/{process}/oom_score_adj").read_text().strip()
        for process, words in machine.processes().items()
        if b"sleep" not in words
    ]
    assert scores
    assert set(scores) == {"-999"}


@pytest.mark.slow
def test_a_restart_keeps_the_end_and_one_watchdog(
    market: Market, machine: Machine
) -> None:
    """The lifetime does not begin anew, and one machine asks once."""
    script = script_of(market, 3.0)
    machine.boot(script)
    end = (machine.home / ".advisor" / "end").read_text()
    time.sleep(1.1)
    machine.boot(script)
    assert (machine.home / ".advisor" / "end").read_text() == end
    assert market.hears(1, 4.5)
    time.sleep(1.2)
    assert len(market.asked) == 1


TOOLS = ("curl", "python3", "wget")
SHELLS = ("dash", "bash", "busybox")


def machines_of_one_tool(build: Build) -> dict[str, Machine]:
    """Return a machine for each tool and each shell that are here, by its number.

    But for the wget that busybox takes, its own: that has no method but GET and POST.
    """
    tools = [tool for tool in TOOLS if tool == "python3" or shutil.which(tool)]
    shells = [shell for name in SHELLS if (shell := shutil.which(name))]
    made: dict[str, Machine] = {}
    for tool in tools:
        for shell in shells:
            if tool == "wget" and shell.endswith("busybox"):
                continue
            machine = made[str(len(made))] = build(tool, number=len(made))
            (machine.home / "programs" / "sh").unlink()
            (machine.home / "programs" / "sh").symlink_to(shell)
    return made


def test_one_tool_is_enough(market: Market, build: Build) -> None:
    """Whichever of the three the image has; none carries the key elsewhere."""
    market.elsewhere = market.url.replace("127.0.0.1", "localhost") + "/instances/thief/"
    machines = machines_of_one_tool(build)
    for machine in machines.values():
        machine.boot(script_of(market, 0.0))
    assert market.ends(*machines)
    assert market.hears(2 * len(machines))
    assert {(key, body) for _, _, key, body in market.asked} == {
        (f"Bearer {RESTRICTED}", "{}")
    }
    assert {path.split("/")[2] for _, path, _, _ in market.looked} == set(machines)


@pytest.mark.slow
def test_what_the_market_does_not_take_is_asked_again(
    market: Market, build: Build
) -> None:
    """An error of the market's own is no end; that there is no such machine is one."""
    machines = machines_of_one_tool(build)
    for number, machine in machines.items():
        market.statuses[number] = [503, 404]
        machine.boot(script_of(market, 0.0))
    assert market.hears(2 * len(machines))
    assert not market.hears(2 * len(machines) + 1, 0.8)
    for machine in machines.values():
        log = (machine.home / ".advisor" / "watchdog.log").read_text().splitlines()
        said = [line.split(" ")[-2] for line in log if "its lifetime is over" in line]
        assert said == ["503", "404"]


def test_a_tool_that_gets_no_answer_leaves_it_to_the_next(
    market: Market, machine: Machine
) -> None:
    """As a curl does that finds no certificates."""
    broken = machine.home / "bin" / "curl"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\necho HTTP/ 000\nexit 60\n")
    broken.chmod(0o755)
    (broken.parent / "python3").symlink_to(os.path.realpath(sys.executable))
    machine.path = f"{broken.parent}:{os.environ['PATH']}"
    machine.boot(script_of(market, 0.0))
    assert market.hears(1)


def test_a_full_disk_leaves_the_watchdog_of_the_last_start(
    market: Market, machine: Machine
) -> None:
    """A restart that can write nothing more is no end of the guard."""
    machine.boot(script_of(market, 2.0))
    (machine.home / ".advisor" / "new").symlink_to("/dev/full")
    machine.boot(script_of(market, 2.0))
    assert market.hears(1)


def test_what_the_image_sets_is_kept_for_commands(
    market: Market, machine: Machine
) -> None:
    """A login by ssh has not got it; the restricted key is not among it."""
    machine.boot(script_of(market, HOUR_S))
    command = '. "$1" && echo "$CONTAINER_ID ${CONTAINER_API_KEY:-none}"'
    kept = machine.home / ".advisor" / "environment"
    words = ["/bin/sh", "-c", command, "sh", str(kept)]
    said = subprocess.run(words, env={}, capture_output=True, check=True).stdout
    assert said == b"77 none\n"


def test_the_launchers_key_is_let_in_once(market: Market, machine: Machine) -> None:
    """Beside those that were there, whatever their last line ended in."""
    keys = machine.home / ".ssh" / "authorized_keys"
    keys.parent.mkdir()
    keys.write_text("ssh-ed25519 AAAA another")
    for _ in range(2):
        machine.boot(script_of(market, HOUR_S))
    lines = [line for line in keys.read_text().splitlines() if line]
    assert lines == ["ssh-ed25519 AAAA another", PUBLIC]
    assert keys.stat().st_mode & 0o77 == 0


def test_the_script_fits_the_market_and_has_no_key_in_it(market: Market) -> None:
    """Neither the user's key nor the instance's: that one comes from the machine."""
    script = script_of(market, 3600.0, heartbeat_s=900.0)
    assert len(script) <= LONGEST_SCRIPT
    assert RESTRICTED not in script
    assert "@" not in script.replace("@/", "")


def test_a_script_that_is_too_long_is_refused(market: Market) -> None:
    """Before anything is rented."""
    with pytest.raises(UsageError, match="longer than"):
        onstart_script(
            market.release,
            now=0.0,
            ends_at=1.0,
            heartbeat_s=None,
            public_key="k" * LONGEST_SCRIPT,
        )
