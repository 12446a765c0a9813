"""Other providers' list prices: only what the library says, in the market's units."""

from __future__ import annotations

import math
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from advisor.base.clock import Clock
from advisor.base.errors import MarketError, UsageError
from advisor.hardware.gpus import load_gpus
from advisor.market.gpuhunt import GpuhuntMarket, gpu_name, open_gpuhunt
from advisor.market.offers import parse_offers
from advisor.market.registry import open_market, rentable
from advisor.market.types import MarketContext, Query

HEADER = (
    "instance_name,location,price,cpu,memory,gpu_count,gpu_name,gpu_memory,spot,"
    "disk_size,gpu_vendor,flags,cpu_arch,provider_data\n"
)
ON_DEMAND = "g6.xlarge,eu-1,0.80,4,16.0,1,L4,24.0,False,,nvidia,,x86,{}\n"
SPOT = "g6.xlarge,eu-1,0.31,4,16.0,1,L4,24.0,True,,nvidia,,x86,{}\n"
ONLY_SPOT = "p5,eu-1,9.0,96,2048.0,8,H100,80.0,True,27000.0,nvidia,,x86,{}\n"
NO_GPU = "m5,eu-1,0.10,2,8.0,0,,,False,,,,x86,{}\n"
TPU = "v5e,eu-1,1.20,24,48.0,1,tpu-v5litepod,16.0,False,,google,,x86,{}\n"


@pytest.fixture
def gpuhunt() -> Any:
    """Return the library, or skip: it is an extra."""
    return pytest.importorskip("gpuhunt", reason="the extra gpuhunt is not installed")


@pytest.fixture
def publish(
    gpuhunt: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Callable[[], Any]]:
    """Return what publishes catalogs on disk, and gives a loader of them."""
    monkeypatch.setenv("GPUHUNT_CATALOG_URL", tmp_path.as_uri())

    def write(**providers: str) -> Callable[[], Any]:
        for provider, rows in providers.items():
            folder = tmp_path / provider / "1"
            folder.mkdir(parents=True)
            (tmp_path / provider / "version").write_text("1", encoding="utf-8")
            with zipfile.ZipFile(folder / "catalog.zip", "w") as archive:
                archive.writestr(f"{provider}.csv", HEADER + rows)
        return load

    def load() -> Any:
        catalog = gpuhunt.Catalog()
        catalog.load()
        return catalog

    return write


Publish = Callable[..., Callable[[], Any]]


def test_an_offer_has_what_the_library_says_and_no_more(
    publish: Publish, clock: Clock
) -> None:
    """Price, GPU, memory and threads in the market's units; the rest is unknown."""
    answer = GpuhuntMarket(publish(aws=ON_DEMAND), clock).search(Query())
    offers, excluded = parse_offers(answer.records)
    assert not excluded
    assert (answer.market, answer.complete, answer.simulated) == ("gpuhunt", None, False)
    assert answer.records[0]["provider"] == "aws"
    assert answer.records[0]["instance_name"] == "g6.xlarge"
    assert offers.gpu_name.tolist() == ["L4"]
    assert offers.gpu_ram_mb.tolist() == [24 * 1024]
    assert (offers.num_gpus[0], offers.cpu_threads[0]) == (1, 4)
    assert offers.cpu_ram_mb[0] == 16 * 1024
    assert offers.cpu_name.tolist() == [""]
    for unknown in ("reliability", "disk_space_gb", "pcie_gb_s", "cpu_cores", "min_bid"):
        assert math.isnan(getattr(offers, unknown)[0]), unknown
    assert offers.usd_per_hour(40.0).tolist() == [0.80]


def test_on_demand_and_spot_are_one_offer(publish: Publish, clock: Clock) -> None:
    """The price on demand is what is paid; the other is what a bid is judged by."""
    (record,) = (
        GpuhuntMarket(publish(aws=SPOT + ON_DEMAND), clock).search(Query()).records
    )
    assert (record["dph_total"], record["min_bid"], record["is_bid"]) == (
        0.80,
        0.31,
        False,
    )


def test_what_is_only_spot_is_never_ranked_as_on_demand(
    publish: Publish, clock: Clock
) -> None:
    """It is listed as what it is, and has no price on demand."""
    (record,) = GpuhuntMarket(publish(aws=ONLY_SPOT), clock).search(Query()).records
    assert record["is_bid"] is True
    assert record["disk_space"] == 27000.0
    assert parse_offers([record])[1] == {"no_price": 1}


def test_machines_without_a_gpu_of_ours_are_left_out(
    publish: Publish, clock: Clock
) -> None:
    """No table knows a TPU, and a machine without any trains nothing."""
    answer = GpuhuntMarket(publish(gcp=NO_GPU + TPU + ON_DEMAND), clock).search(Query())
    assert [record["gpu_name"] for record in answer.records] == ["L4"]


def test_ids_are_those_of_yesterday(publish: Publish, clock: Clock) -> None:
    """An offer keeps its id, whatever its price and its place in the list."""
    dearer = ON_DEMAND.replace("0.80", "0.95")
    load = publish(aws=ON_DEMAND, gcp=ONLY_SPOT + dearer, azure=dearer)
    records = GpuhuntMarket(load, clock).search(Query()).records
    again = GpuhuntMarket(load, clock).search(Query()).records
    ids = [record["id"] for record in records]
    assert len(set(ids)) == 4
    assert ids == [record["id"] for record in again]
    assert all(0 < number <= 2**48 for number in ids)


def test_a_provider_that_fails_is_said(
    gpuhunt: Any, publish: Publish, clock: Clock
) -> None:
    """The others are listed, and a note says which could not be."""

    class Broken:
        NAME = "vultr"

        def get(self, **_: Any) -> list[Any]:
            message = "maintenance\nuntil noon"
            raise gpuhunt.ProviderError(message)

    def load() -> Any:
        catalog = publish_aws()
        catalog.add_provider(Broken())
        return catalog

    publish_aws = publish(aws=ON_DEMAND)
    answer = GpuhuntMarket(load, clock).search(Query())
    assert len(answer.records) == 1
    assert "gpuhunt cannot list vultr: maintenance until noon" in answer.notes
    assert "list prices of aws, by the library gpuhunt" in answer.notes


def test_vast_is_not_asked_a_second_time(
    gpuhunt: Any, publish: Publish, clock: Clock
) -> None:
    """We ask it ourselves, and see more of it."""

    class Asked:
        NAME = "vastai"

        def get(self, **_: Any) -> list[Any]:
            raise AssertionError("must not be asked")

    def load() -> Any:
        catalog = publish_aws()
        catalog.add_provider(Asked())
        return catalog

    publish_aws = publish(aws=ON_DEMAND)
    assert len(GpuhuntMarket(load, clock).search(Query()).notes) == 1


def test_no_catalog_is_one_line(publish: Publish, clock: Clock) -> None:
    """Without a network, or with nothing published, the market cannot be asked."""
    with pytest.raises(MarketError, match="cannot load its catalog") as caught:
        GpuhuntMarket(publish(), clock).search(Query())
    assert str(caught.value).isprintable()


def test_without_the_library_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A market that needs an extra names it."""
    monkeypatch.setitem(sys.modules, "gpuhunt", None)
    with pytest.raises(UsageError, match=r"\.\[gpuhunt\]"):
        open_market("gpuhunt", {}, tmp_path)


@pytest.mark.usefixtures("gpuhunt")
def test_it_only_lists(tmp_path: Path) -> None:
    """Nothing is rented there."""
    market = open_gpuhunt(MarketContext({}, tmp_path))
    with pytest.raises(UsageError, match="only lists"):
        rentable(market)


@pytest.mark.parametrize(
    ("name", "memory_gb", "row"),
    [
        ("RTX4090", 24, "RTX 4090"),
        ("RTX4070TiSUPER", 16, "RTX 4070 Ti Super"),
        ("RTX2060SUPER", 8, "RTX 2060 Super"),
        ("RTX6000Ada", 48, "RTX 6000 Ada"),
        ("RTX6000", 24, "Quadro RTX 6000"),
        ("RTXPRO6000", 96, "RTX PRO 6000 Blackwell"),
        ("A4000", 16, "RTX A4000"),
        ("H100NVL", 94, "H100-NVL-94GB"),
        ("L40S", 48, "L40S"),
        ("MI300X", 192, "MI300X"),
    ],
)
def test_names_are_spelt_as_our_table_knows_them(
    name: str, memory_gb: float, row: str
) -> None:
    """The library writes no blanks, and leaves RTX out of some."""
    found = load_gpus().resolve(gpu_name(name), memory_gb * 1024)
    assert found is not None
    assert found.name == row
