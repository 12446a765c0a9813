"""`advisor simulate`: a market at a port, until Ctrl-C."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from advisor.base.errors import ExitStatus
from advisor.cli.main import run
from advisor.simulator.local import LocalContainers
from advisor.simulator.scenarios import SCENARIOS


@contextlib.contextmanager
def simulator(*options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the program; yield it and the address that it prints."""
    command = [sys.executable, "-W", "error", "-m", "advisor", "simulate", *options]
    with subprocess.Popen(
        [*command, "--port", "0", "--offers", "40"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert "is a market" in line, process.stderr and process.stderr.read()
            yield process, line.split()[0]
        finally:
            process.kill()


def test_it_serves_the_market_until_it_is_interrupted() -> None:
    """One line with the address, one market per seed, a clean end."""
    with simulator("--clock", "manual", "--fault", "quota") as (process, url):
        assert url.startswith("http://127.0.0.1:")
        refused = httpx.post(f"{url}/api/v0/bundles/", json={})
        assert refused.status_code == 429
        assert refused.json()["error"] == "search_quota_exceeded"
        ledger = httpx.get(f"{url}/__ledger").json()
        assert ledger == {"accounts": {}, "instances": []}
        process.send_signal(signal.SIGTERM)  # a job in the background ignores SIGINT
        out, err = process.communicate(timeout=20)
        assert process.returncode == 0
        assert out == ""
        assert err == "the market is closed\n"


@pytest.mark.slow
def test_whose_machines_are_run_here_has_the_key(tmp_path: Path) -> None:
    """Who may rent runs what they like, as root: any other user is refused.

    Neither may they set the clock, nor read what is rented.
    """
    if missing := LocalContainers.missing():
        pytest.skip(missing)
    folder = tmp_path / "containers"
    with simulator("--containers", str(folder), "--clock", "manual") as (process, url):
        assert process.stdout is not None
        words = dict(word.split("=") for word in process.stdout.readline().split()[1:])
        key = words["VAST_API_KEY"]
        assert words["VAST_URL"] == url
        asks = [
            ("PUT", "/api/v0/asks/1/", {"image": "x"}),
            ("GET", "/api/v1/instances/", None),
            ("GET", "/api/v0/users/current/", None),
            ("GET", "/__ledger", None),
            ("GET", "/__events", None),
            ("GET", "/__clock", None),
            ("POST", "/__clock", {"advance_s": 60}),
        ]
        for wrong in ({}, {"Authorization": "Bearer any-word"}):
            for method, path, body in asks:
                reply = httpx.request(method, url + path, json=body, headers=wrong)
                assert (reply.status_code, reply.json()["error"]) == (401, "auth_error")
        right = {"Authorization": f"Bearer {key}"}
        for method, path, body in asks[1:]:
            reply = httpx.request(method, url + path, json=body, headers=right)
            assert reply.status_code == 200, reply.text


def test_the_faults_can_be_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """One line each, with what a client meets."""
    assert run(["simulate", "--list-faults"]) == ExitStatus.DONE
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(SCENARIOS)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--fault", "gremlins"], "gremlins"),
        (["--clock", "fast"], "--clock 'fast'"),
        (["--clock", "0x"], "--clock '0x'"),
        (["--faults", "nowhere.toml"], "nowhere.toml"),
        (["--host", "192.0.2.1"], "192.0.2.1"),
    ],
)
def test_what_cannot_be_is_one_line_on_stderr(
    options: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong name, speed, file or address."""
    assert run(["simulate", "--offers", "5", "--port", "0", *options]) == ExitStatus.USAGE
    err = capsys.readouterr().err
    assert words in err
    assert err.count("\n") == 1


def test_a_port_that_is_taken_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """With what to do."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        status = run(["simulate", "--offers", "5", "--port", port])
    assert status == ExitStatus.USAGE
    assert "--port 0" in capsys.readouterr().err


def test_a_missing_extra_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the command that installs it."""
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert run(["simulate", "--offers", "5", "--port", "0"]) == ExitStatus.USAGE
    assert "pip install '.[simulator]' in the checkout" in capsys.readouterr().err


def test_a_file_of_faults_is_read(tmp_path: Path) -> None:
    """Names of scenarios and faults of one's own."""
    path = tmp_path / "faults.toml"
    path.write_text(
        'names = ["nan"]\n[[fault]]\neffect = "text"\nstatus = 418\nmessage = "tea"\n'
        'operations = ["account"]\n',
        encoding="utf-8",
    )
    with simulator("--faults", str(path)) as (_, url):
        headers = {"Authorization": "Bearer k"}
        answer = httpx.get(f"{url}/api/v0/users/current/", headers=headers)
        assert (answer.status_code, answer.text) == (418, "tea")
        assert "NaN" in httpx.post(f"{url}/api/v0/bundles/", json={}).text
