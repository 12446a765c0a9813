"""Our own markets keep the rules that apply to the authors of others."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from advisor.base.clock import Clock
from advisor.market.conformance import MarketConformance, RentalConformance
from advisor.market.gpuhunt import GpuhuntMarket
from advisor.market.registry import load_plugin
from advisor.market.types import MarketContext, MarketPlugin
from advisor.simulator.api import Api
from advisor.simulator.calls import Request
from advisor.simulator.clock import SimClock
from advisor.simulator.world import World

START = 1_795_262_400.0


class TestSample(MarketConformance):
    """The bundled sample."""

    @pytest.fixture
    def plugin(self) -> MarketPlugin:
        return load_plugin("sample")


class TestFile(MarketConformance):
    """A file of offers."""

    @pytest.fixture
    def plugin(self) -> MarketPlugin:
        return load_plugin("file")

    @pytest.fixture
    def context(self, tmp_path: Path, record: dict[str, Any]) -> MarketContext:
        path = tmp_path / "offers.json"
        offers = [{**record, "id": 101 + at, "dph_base": 0.3 + at} for at in range(3)]
        path.write_text(json.dumps([one | {"dph_total": None} for one in offers]))
        return MarketContext({}, tmp_path, detail=str(path))


class TestGpuhunt(MarketConformance):
    """What other providers list: a catalog of two of them, on disk."""

    @pytest.fixture
    def plugin(self) -> MarketPlugin:
        gpuhunt = pytest.importorskip("gpuhunt", reason="its extra is not installed")

        def load() -> Any:
            catalog = gpuhunt.Catalog()
            catalog.load()
            return catalog

        return lambda context: GpuhuntMarket(load, context.clock)

    @pytest.fixture
    def context(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MarketContext:
        monkeypatch.setenv("GPUHUNT_CATALOG_URL", tmp_path.as_uri())
        header = (
            "instance_name,location,price,cpu,memory,gpu_count,gpu_name,gpu_memory,spot,"
            "disk_size,gpu_vendor,flags,cpu_arch,provider_data\n"
        )
        rows = (
            "g6.xlarge,eu-1,0.80,4,16.0,1,L4,24.0,False,,nvidia,,x86,{}\n"
            "g6.xlarge,eu-1,0.31,4,16.0,1,L4,24.0,True,,nvidia,,x86,{}\n"
            "p5,eu-1,9.0,96,2048.0,8,H100,80.0,True,27000.0,nvidia,,x86,{}\n"
        )
        for provider in ("aws", "gcp"):
            folder = tmp_path / provider / "1"
            folder.mkdir(parents=True)
            (tmp_path / provider / "version").write_text("1", encoding="utf-8")
            packed = io.BytesIO()
            with zipfile.ZipFile(packed, "w") as archive:
                archive.writestr(f"{provider}.csv", header + rows)
            (folder / "catalog.zip").write_bytes(packed.getvalue())
        return MarketContext({}, tmp_path)


class Simulated:
    """Vast.ai as the simulator imitates it, in time that passes only in waits."""

    def __init__(self) -> None:
        self.passed = 0.0
        self.world = World(offers=100, calm=True, clock=SimClock.manual(START))
        self._api = Api(self.world, monotonic=lambda: self.passed)

    def answer(self, request: httpx.Request) -> httpx.Response:
        key = request.headers.get("Authorization", "").removeprefix("Bearer ") or None
        path, query = request.url.path, dict(request.url.params)
        reply = self._api.handle(
            Request(request.method, path, query, request.content, key, "192.0.2.1")
        )
        headers = {**reply.headers, "Content-Type": reply.kind}
        return httpx.Response(reply.status, headers=headers, content=reply.body)

    def sleep(self, seconds: float) -> None:
        self.passed += seconds
        self.world.advance(seconds)

    def now(self) -> datetime:
        return datetime.fromtimestamp(START, UTC) + timedelta(seconds=self.passed)


@pytest.fixture(scope="module")
def simulated() -> Simulated:
    """Return a market that many tests rent at: to make one takes a while."""
    return Simulated()


class TestVast(RentalConformance):
    """Vast.ai with a key: it rents as well."""

    @pytest.fixture
    def plugin(self) -> MarketPlugin:
        return load_plugin("vast")

    @pytest.fixture
    def context(self, tmp_path: Path, simulated: Simulated) -> MarketContext:
        return MarketContext(
            {
                "VAST_API_KEY": "k-secret-123",
                "ADVISOR_CACHE_DIR": str(tmp_path / "limits"),
            },
            tmp_path,
            httpx.MockTransport(simulated.answer),
            Clock(simulated.now, lambda: simulated.passed, simulated.sleep),
        )
