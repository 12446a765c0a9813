"""The simulated market: identities, machines that could exist, real proportions."""

import ipaddress
import json
import math
import re
from collections import defaultdict
from pathlib import Path
from statistics import median

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.market.offers import parse_offers
from advisor.simulator.generate import generate_offers, load_calibration, offered_sizes

DATA = load_calibration()
NOW = 1_793_491_200.0
REAL = (
    Path(__file__).parents[2]
    / ".."
    / "shared"
    / "data"
    / "offers"
    / "vast-all-fields.json"
)
KEYS = set(
    """
    ask_contract_id avail_vol_ask_id avail_vol_dph avail_vol_size bundle_id
    bundled_results bw_nvlink cluster_id compute_cap cpu_arch cpu_cores
    cpu_cores_effective cpu_ghz cpu_name cpu_ram credit_discount_max cuda_max_good
    direct_port_count discount_rate discounted_dph_total discounted_hourly disk_bw
    disk_name disk_space dlperf dlperf_per_dphtotal dph_base dph_total dph_total_adj
    driver_vers driver_version duration end_date expected_reliability external
    flops_per_dphtotal geolocation geolocode gpu_arch gpu_display_active gpu_frac
    gpu_ids gpu_lanes gpu_max_power gpu_max_temp gpu_mem_bw gpu_name gpu_ram
    gpu_total_ram has_avx host_id hosting_type hostname id inet_down inet_down_cost
    inet_up inet_up_cost instance internet_down_cost_per_tb internet_up_cost_per_tb
    is_bid is_vm_deverified logo machine_id min_bid mobo_name num_gpus nw_disk_avg_bw
    nw_disk_max_bw nw_disk_min_bw os_version pci_gen pcie_bw public_ipaddr
    reliability reliability2 reliability_mult rentable rented resource_type rn score
    search sla_broker_rate sla_r_claim sla_sigma_x start_date static_ip storage_cost
    storage_total_cost target_reliability time_remaining time_remaining_isbid
    total_flops vericode verification vms_enabled vram_costperhour webpage
    """.split()  # noqa: SIM905  (a hundred lines otherwise)
)

seeds = st.integers(min_value=0, max_value=2**40)
few = settings(max_examples=12, deadline=None)


@pytest.fixture(scope="module")
def market():
    """Return a simulated market big enough for statistics."""
    return generate_offers(3000, 20261101, NOW)


@few
@given(seeds)
def test_identities_of_every_offer_hold(seed):
    """Fields that follow from one another agree exactly, whatever the seed."""
    for offer in generate_offers(25, seed, NOW):
        storage = offer["storage_cost"] * 5.0 / 720.0
        assert offer["storage_total_cost"] == storage
        assert offer["dph_total"] == offer["dph_base"] + storage
        assert offer["discounted_dph_total"] == offer["dph_total"]
        assert offer["id"] == offer["ask_contract_id"]
        assert offer["reliability"] == offer["reliability2"]
        assert offer["num_gpus"] == len(offer["gpu_ids"])
        assert offer["gpu_total_ram"] == offer["gpu_ram"] * offer["num_gpus"]
        assert (
            offer["cpu_cores_effective"] == (offer["cpu_cores"] or 0) * offer["gpu_frac"]
        )
        assert offer["flops_per_dphtotal"] == offer["total_flops"] / offer["dph_total"]
        if math.isfinite(offer["dlperf_per_dphtotal"]):
            assert offer["dlperf_per_dphtotal"] == offer["dlperf"] / offer["dph_total"]
        for way in ("up", "down"):
            per_gb = offer[f"inet_{way}_cost"]
            assert offer[f"internet_{way}_cost_per_tb"] == per_gb * 1024
        if offer["duration"] is not None:
            assert offer["end_date"] == NOW + offer["duration"]


@few
@given(seeds)
def test_the_bill_agrees_with_the_prices(seed):
    """The nested bills repeat the prices: running, and stopped with disk only."""
    for offer in generate_offers(25, seed, NOW):
        assert offer["search"] == {
            "discountTotalHour": 0,
            "discountedTotalPerHour": offer["dph_total"],
            "diskHour": offer["storage_total_cost"],
            "gpuCostPerHour": offer["dph_base"],
            "slaPremiumPerHour": 0.0,
            "totalHour": offer["dph_total"],
        }
        assert offer["instance"]["totalHour"] == offer["storage_total_cost"]
        assert offer["instance"]["gpuCostPerHour"] == 0


@few
@given(seeds)
def test_slices_share_one_machine(seed):
    """Offers of one machine are nested slices that agree on the machine."""
    by_machine = defaultdict(list)
    for offer in generate_offers(40, seed, NOW):
        by_machine[offer["machine_id"]].append(offer)
    for slices in by_machine.values():
        slices.sort(key=lambda offer: offer["num_gpus"])
        total = round(slices[0]["num_gpus"] / slices[0]["gpu_frac"])
        for offer in slices:
            assert offer["gpu_frac"] == offer["num_gpus"] / total
            assert 1 <= offer["num_gpus"] <= total
            assert len(set(offer["gpu_ids"])) == offer["num_gpus"]
            assert set(slices[0]["gpu_ids"]) <= set(offer["gpu_ids"])
            for key in ("cpu_name", "cpu_cores", "gpu_name", "host_id", "pcie_bw"):
                assert offer[key] == slices[0][key]


def test_gpus_belong_to_one_machine(market):
    """No GPU id occurs on two machines."""
    owner = {}
    for offer in market:
        for gpu in offer["gpu_ids"]:
            assert owner.setdefault(gpu, offer["machine_id"]) == offer["machine_id"]


@given(st.integers(1, 16), st.integers(0, 16))
def test_listed_sizes_double_up_to_what_is_free(least, free):
    """Sizes rise from the least, double, and end with all free GPUs."""
    sizes = offered_sizes(least, free)
    assert bool(sizes) == (free >= least)
    assert list(sizes) == sorted(set(sizes))
    if sizes:
        assert sizes[-1] == free
        assert all(size == least * 2**k for k, size in enumerate(sizes[:-1]))


def test_seven_free_gpus_are_listed_as_the_market_does():
    """Seven free GPUs make offers of 1, 2, 4 and 7 (seen in published offers)."""
    assert offered_sizes(1, 7) == (1, 2, 4, 7)


def test_the_same_seed_makes_the_same_market():
    """A seed repeats to the last character; another one gives another market."""
    first, again, other = (
        json.dumps(generate_offers(60, seed, NOW)) for seed in (3, 3, 4)
    )
    assert first == again
    assert first != other


@pytest.mark.parametrize("count", [1, 2, 50])
def test_as_many_offers_as_asked(count):
    """The count is exact, odd records included."""
    assert len(generate_offers(count, 1, NOW)) == count


def test_every_offer_has_the_documented_keys(market):
    """All 100 keys of the market, no more."""
    assert len(KEYS) == 100
    assert all(offer.keys() == KEYS for offer in market)


def test_types_are_those_of_real_offers(market):
    """Each field has a type that a published offer with all keys has, or is null."""
    if not REAL.exists():
        pytest.skip("the published offers are not on this machine")
    real = json.loads(REAL.read_text(encoding="utf-8"))["offers"]
    assert set(real[0]) == KEYS
    for key in KEYS:
        known = {type(offer[key]) for offer in real} | {type(None)}
        assert {type(offer[key]) for offer in market} <= known, key


def test_cpus_are_whole_and_real(market):
    """A named CPU has the threads of one or two sockets and its PCIe generation."""
    cpus = {}
    for cpu in DATA.cpus:
        cpus.setdefault(cpu.cpu_name, cpu)
    named = [offer for offer in market if offer["cpu_name"]]
    assert len(named) > 0.9 * len(market)
    for offer in named:
        cpu = cpus[offer["cpu_name"]]
        sockets = offer["cpu_cores"] / cpu.threads
        assert sockets in range(1, cpu.max_sockets + 1)
        assert offer["pci_gen"] <= cpu.pcie_gen
        boards = DATA.boards[cpu.socket, int(sockets), True]
        assert offer["mobo_name"] in boards


def test_gpus_stand_where_they_can(market):
    """SXM GPUs sit in servers, and no desktop board holds many modern GPUs."""
    platforms = {cpu.cpu_name: cpu.platform for cpu in DATA.cpus}
    kinds = {gpu.gpu_name: gpu.kind for gpu in DATA.gpus}
    years = {gpu.gpu_name: gpu.year for gpu in DATA.gpus}
    for offer in (offer for offer in market if offer["cpu_name"]):
        platform = platforms[offer["cpu_name"]]
        total = round(offer["num_gpus"] / offer["gpu_frac"])
        if kinds[offer["gpu_name"]] == "sxm":
            assert platform == "server"
        if platform == "desktop" and years[offer["gpu_name"]] > 2021:
            assert total <= 4
            assert offer["gpu_lanes"] * total <= 24


def test_pcie_bandwidth_is_within_the_link(market):
    """A measured bandwidth never exceeds what generation and lanes allow."""
    per_lane = {1: 0.25, 2: 0.5, 3: 0.985, 4: 1.969, 5: 3.938}
    for offer in market:
        link = per_lane[int(offer["pci_gen"])] * offer["gpu_lanes"]
        assert 0.2 * link < offer["pcie_bw"] < link


def commonest():
    """Return the ten GPU models on most machines."""
    return sorted(DATA.gpus, key=lambda gpu: -gpu.machine_share)[:10]


def smallest_of_each_machine(market, gpu):
    """Return one offer a machine of one GPU model and memory size."""
    machines = {}
    for offer in sorted(market, key=lambda offer: -offer["num_gpus"]):
        if (offer["gpu_name"], offer["gpu_ram"]) == (gpu.gpu_name, gpu.gpu_ram_mb):
            machines[offer["machine_id"]] = offer
    return list(machines.values())


def test_medians_follow_the_calibration(market):
    """Price, DLPerf and threads per GPU of the commonest models are as published."""
    for gpu in commonest():
        offers = smallest_of_each_machine(market, gpu)
        assert len(offers) >= 50
        prices = [offer["dph_total"] / offer["num_gpus"] for offer in offers]
        assert median(prices) == pytest.approx(gpu.price_usd_per_hour, rel=0.15)
        scores = [offer["dlperf"] for offer in offers if offer["num_gpus"] == 1]
        assert median(scores) == pytest.approx(gpu.dlperf, rel=0.05)
        threads = [
            offer["cpu_cores_effective"] / offer["num_gpus"]
            for offer in offers
            if offer["cpu_cores"]
        ]
        assert median(threads) == pytest.approx(gpu.threads.at(0.5), rel=0.35)


def test_models_have_their_share_of_the_market(market):
    """The commonest models are on about as many machines as published."""
    machines = len({offer["machine_id"] for offer in market})
    for gpu in commonest():
        share = len(smallest_of_each_machine(market, gpu)) / machines
        assert share == pytest.approx(gpu.machine_share, abs=0.02)


@pytest.mark.parametrize(
    ("odd", "low", "high"),
    [
        (lambda offer: offer["cpu_cores"] is None, 0.0005, 0.012),
        (lambda offer: offer["cpu_name"] is None, 0.01, 0.06),
        (lambda offer: offer["min_bid"] > offer["dph_total"], 0.04, 0.10),
        (lambda offer: offer["cpu_cores_effective"] <= 4 * offer["num_gpus"], 0.02, 0.1),
        (lambda offer: offer["gpu_lanes"] <= 4, 0.02, 0.12),
        (lambda offer: offer["duration"] is None, 0.003, 0.03),
        (lambda offer: math.isinf(offer["dlperf_per_dphtotal"]), 0.0003, 0.006),
        (lambda offer: offer["geolocation"] == "", 0.0003, 0.012),
        (lambda offer: offer["verification"] != "verified", 0.05, 0.30),
        (lambda offer: offer["reliability"] < 0.9, 0.001, 0.04),
    ],
    ids=[
        "CPU unknown",
        "CPU unnamed",
        "bid above price",
        "starved",
        "narrow link",
        "no duration",
        "infinite",
        "nowhere",
        "unverified",
        "unreliable",
    ],
)
def test_oddities_keep_their_proportion(market, odd, low, high):
    """What is odd about real offers is odd here, about as often."""
    assert low < sum(map(odd, market)) / len(market) < high


def test_unknown_cpus_are_null_as_on_the_market(market):
    """A host without CPU facts shows null, grants 0.0 threads and scores low."""
    unknown = [offer for offer in market if offer["cpu_cores"] is None]
    medians = {(gpu.gpu_name, gpu.gpu_ram_mb): gpu.dlperf for gpu in DATA.gpus}
    assert unknown
    for offer in unknown:
        assert offer["cpu_name"] is None
        assert offer["cpu_ghz"] is None
        assert offer["cpu_cores_effective"] == 0.0
        usual = medians[offer["gpu_name"], offer["gpu_ram"]] * offer["num_gpus"]
        assert offer["dlperf"] < 0.1 * usual


def test_some_clocks_cannot_be(market):
    """About one clock in twenty is above the CPU's boost; most are base or boost."""
    cpus = {cpu.cpu_name: cpu for cpu in DATA.cpus}
    named = [offer for offer in market if offer["cpu_name"]]
    impossible = sum(o["cpu_ghz"] > cpus[o["cpu_name"]].boost_ghz for o in named)
    base = sum(o["cpu_ghz"] == cpus[o["cpu_name"]].base_ghz for o in named)
    assert 0.02 < impossible / len(named) < 0.1
    assert 0.45 < base / len(named) < 0.75


def test_a_duplicate_id_has_a_lower_score(market):
    """Some ids come twice; the later record is scored lower and parses away."""
    by_id = defaultdict(list)
    for offer in market:
        by_id[offer["id"]].append(offer["score"])
    twice = [scores for scores in by_id.values() if len(scores) > 1]
    assert 0 < len(twice) < 0.01 * len(market)
    assert all(later < first for first, later in (scores[:2] for scores in twice))
    offers, excluded = parse_offers(market)
    assert excluded == {"duplicate": len(market) - len(by_id)}
    assert len(offers) == len(by_id)


def test_addresses_are_for_documentation_only(market):
    """Every address in the records is of a network that RFC 5737 reserves."""
    reserved = [ipaddress.ip_network(n) for n in ("203.0.113.0/24", "198.51.100.0/24")]
    found = set(re.findall(r'"(\d+\.\d+\.\d+\.\d+)"', json.dumps(market)))
    assert len(found) > 100
    for text in found:
        assert any(ipaddress.ip_address(text) in network for network in reserved)


@given(st.floats(0, 1), st.floats(0, 1))
def test_quantiles_rise_with_their_level(one, other):
    """Interpolated quantiles never fall, and end at their ends."""
    low, high = sorted((one, other))
    for quantiles in DATA.quantiles.values():
        assert quantiles.at(low) <= quantiles.at(high) * (1 + 1e-12)
        assert quantiles.at(0.0) == pytest.approx(quantiles.values[0])
        assert quantiles.at(1.0) == pytest.approx(quantiles.values[-1])


def test_every_calibration_row_names_its_source():
    """No figure without a source; what was assumed says so and counts no offers."""
    folder = Path(__file__).parents[2] / "advisor" / "simulator" / "generate" / "data"
    for path in folder.glob("*.csv"):
        header, *rows = path.read_text(encoding="utf-8").splitlines()
        assert rows
        assert "source" in header.split(",")
    shares = (folder / "shares.csv").read_text(encoding="utf-8").splitlines()
    assumed = [row for row in shares if ",assumption," in row]
    assert assumed
    assert all(",0,assumption," in row for row in assumed)
