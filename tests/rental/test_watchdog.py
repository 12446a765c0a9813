"""The watchdog ends its machine: run by a real shell, against a real server."""

from __future__ import annotations

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

from advisor.errors import UsageError
from advisor.market.lifecycle import SelfRelease
from advisor.rental.watchdog import LONGEST_SCRIPT, onstart_script

PUBLIC = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI advisor"
RESTRICTED = "restricted-key-1"
_NEEDED = ("sh", "cat", "date", "mkdir", "chmod", "touch", "grep", "mv", "nohup")
_NEEDED += ("setsid", "sleep", "stat")


@dataclass
class Market:
    """A server that takes down what is asked of it."""

    url: str = ""
    asked: list[tuple[str, str, str, str]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)

    @property
    def release(self) -> SelfRelease:
        url = f"{self.url}/instances/$CONTAINER_ID/"
        return SelfRelease("DELETE", url, "{}", "CONTAINER_API_KEY")

    def hears(self, count: int, within_s: float = 8.0) -> bool:
        end = time.monotonic() + within_s
        while len(self.asked) < count and time.monotonic() < end:
            time.sleep(0.02)
        return len(self.asked) >= count


@pytest.fixture
def market() -> Iterator[Market]:
    made = Market()

    class Handler(BaseHTTPRequestHandler):
        def do_DELETE(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            key = self.headers.get("Authorization", "")
            made.asked.append((self.command, self.path, key, body.decode()))
            self.send_response(made.statuses.pop(0) if made.statuses else 200)
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


Boot = Callable[..., None]


@pytest.fixture
def boot(tmp_path: Path) -> Iterator[Boot]:
    """Return a function that starts the machine: it runs the script."""

    def run(script: str, path: str | None = None) -> None:
        variables = {
            "HOME": str(tmp_path),
            "PATH": path or os.environ["PATH"],
            "CONTAINER_ID": "77",
            "CONTAINER_API_KEY": RESTRICTED,
        }
        subprocess.run(["/bin/sh", "-c", script], env=variables, check=True, timeout=20)

    yield run
    ours = f"HOME={tmp_path}".encode()
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and ours in (process / "environ").read_bytes():
                os.kill(int(process.name), signal.SIGKILL)
        except OSError:
            continue


def script_of(
    market: Market, lifetime_s: float, heartbeat_s: float | None = None, skew: float = 0.0
) -> str:
    now = time.time() + skew
    return onstart_script(
        market.release,
        now=now,
        ends_at=now + lifetime_s,
        heartbeat_s=heartbeat_s,
        public_key=PUBLIC,
        every_s=1,
    )


def test_the_machine_ends_itself_when_its_lifetime_is_over(
    market: Market, boot: Boot
) -> None:
    """With its own key, its own id, and not before."""
    boot(script_of(market, 1.5))
    assert not market.hears(1, 0.4)
    assert market.hears(1)
    asked = ("DELETE", "/instances/77/", f"Bearer {RESTRICTED}", "{}")
    assert market.asked == [asked]


def test_what_the_market_does_not_take_is_asked_again(market: Market, boot: Boot) -> None:
    """An error of the market's own is no end."""
    market.statuses = [503]
    boot(script_of(market, 0.0))
    assert market.hears(2)


def test_a_silent_launcher_ends_the_machine(
    market: Market, boot: Boot, tmp_path: Path
) -> None:
    """Heartbeats keep it, their absence ends it, long before its lifetime."""
    boot(script_of(market, 3600.0, heartbeat_s=1.0))
    for _ in range(3):
        time.sleep(0.9)
        (tmp_path / ".advisor" / "heartbeat").touch()
        assert not market.asked
    assert market.hears(1)


@pytest.mark.slow
def test_a_restart_keeps_the_end_and_one_watchdog(
    market: Market, boot: Boot, tmp_path: Path
) -> None:
    """The lifetime does not begin anew, and one machine asks once."""
    boot(script_of(market, 4.5))
    end = (tmp_path / ".advisor" / "end").read_text()
    time.sleep(1.1)
    boot(script_of(market, 4.5))
    assert (tmp_path / ".advisor" / "end").read_text() == end
    assert market.hears(1)
    time.sleep(1.2)
    assert len(market.asked) == 1


@pytest.mark.parametrize("skew", [-86400.0, 86400.0])
def test_a_wrong_clock_neither_kills_nor_keeps(
    market: Market, boot: Boot, skew: float
) -> None:
    """A day off either way: the lifetime counts from the first start."""
    boot(script_of(market, 1.5, skew=skew))
    assert not market.hears(1, 0.4)
    assert market.hears(1)


@pytest.mark.parametrize("tool", ["curl", "python3", "wget"])
def test_one_tool_is_enough(
    market: Market, boot: Boot, tmp_path: Path, tool: str
) -> None:
    """Whichever of the three the image has; the key is in no list of processes."""
    found = os.path.realpath(sys.executable) if tool == "python3" else shutil.which(tool)
    if found is None:
        pytest.skip(f"{tool} is not installed")
    binaries = tmp_path / "bin"
    binaries.mkdir()
    (binaries / tool).symlink_to(found)
    for name in _NEEDED:
        where = shutil.which(name)
        assert where is not None
        (binaries / name).symlink_to(where)
    boot(script_of(market, 0.0), path=str(binaries))
    assert market.hears(1)
    assert market.asked[0][2] == f"Bearer {RESTRICTED}"


def test_a_tool_that_gets_no_answer_leaves_it_to_the_next(
    market: Market, boot: Boot, tmp_path: Path
) -> None:
    """As a curl does that finds no certificates."""
    broken = tmp_path / "bin" / "curl"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\nprintf 000\nexit 60\n")
    broken.chmod(0o755)
    (broken.parent / "python3").symlink_to(os.path.realpath(sys.executable))
    boot(script_of(market, 0.0), path=f"{broken.parent}:{os.environ['PATH']}")
    assert market.hears(1)


def test_a_full_disk_leaves_the_watchdog_of_the_last_start(
    market: Market, boot: Boot, tmp_path: Path
) -> None:
    """A restart that can write nothing more is no end of the guard."""
    boot(script_of(market, 2.0))
    (tmp_path / ".advisor" / "new").symlink_to("/dev/full")
    boot(script_of(market, 2.0))
    assert market.hears(1)


def test_what_the_image_sets_is_kept_for_commands(
    market: Market, boot: Boot, tmp_path: Path
) -> None:
    """A login by ssh has not got it; the restricted key is not among it."""
    boot(script_of(market, 3600.0))
    command = '. "$1" && echo "$CONTAINER_ID ${CONTAINER_API_KEY:-none}"'
    kept = tmp_path / ".advisor" / "environment"
    words = ["/bin/sh", "-c", command, "sh", str(kept)]
    said = subprocess.run(words, env={}, capture_output=True, check=True).stdout
    assert said == b"77 none\n"


def test_the_launchers_key_is_let_in_once(
    market: Market, boot: Boot, tmp_path: Path
) -> None:
    """Beside those that were there, whatever their last line ended in."""
    keys = tmp_path / ".ssh" / "authorized_keys"
    keys.parent.mkdir()
    keys.write_text("ssh-ed25519 AAAA another")
    for _ in range(2):
        boot(script_of(market, 3600.0))
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
