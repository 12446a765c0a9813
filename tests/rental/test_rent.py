"""Renting: the best offer, or a clear refusal, and never anything unaccounted for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

pytest.importorskip("uvicorn", reason="the extra 'simulator' is not installed")

import advisor
from advisor.base.errors import NothingFitsError
from advisor.market.registry import open_market, rentable
from advisor.rental.context import open_rental_context
from advisor.simulator.scenarios import SCENARIOS
from advisor.store.ledger import Entry

MINUTE_S = 60.0


def test_a_launcher_gets_a_machine_and_is_told_all_of_it(street: Any) -> None:
    """Instance, ssh, price, prediction, attempts; the ledger and the market agree."""
    done = street.rent("--job", "mine")
    assert done.exit_code == 0, done.stderr
    document = done.document
    (instance,) = street.instances()
    (entry,) = street.entries()
    assert document["state"] == "rented"
    assert document["instance_id"] == instance["id"] == entry.instance_id
    assert document["label"] == instance["label"] == entry.label
    assert instance["state"] == "running"
    assert entry.state == "handed"
    assert document["ssh"]["port"] > 0
    assert document["predicted"]["epoch_usd_low"] <= document["predicted"]["epoch_usd"]
    assert [one["outcome"] for one in document["attempts"]] == ["rented"]


def test_a_dry_run_pays_nothing(street: Any) -> None:
    """It says what would be rented, and for how long at most."""
    done = street.rent("--dry-run")
    assert done.exit_code == 0, done.stderr
    assert done.document["state"] == "dry_run"
    assert done.document["usd_per_hour"] > 0
    assert street.instances() == []
    assert street.entries() == []


def test_what_the_conditions_leave_out_is_not_rented(street: Any) -> None:
    """The best offer is left for the best that meets them."""
    best = street.rent("--dry-run").document["gpu_name"]
    clause = f"gpu_name!={best.replace(' ', '_')} cpu_ram>=16"
    done = street.rent("--where", clause)
    assert done.exit_code == 0, done.stderr
    assert done.document["gpu_name"] != best
    refused = street.rent("--where", "cpu_ram>=lots")
    assert refused.exit_code == 2
    assert "cpu_ram takes a number of GB" in refused.stderr
    assert len(street.instances()) == 1


def test_a_program_says_conditions_too(street: Any) -> None:
    """As one text or several, and with the short forms."""
    for where in ("cpu_ram>=100000", ["num_gpus>=1", "cpu_ram>=100000"]):
        with (
            pytest.raises(NothingFitsError),
            advisor.rented("resnet50", where=where, context=street.context()),
        ):
            pass
    with (
        pytest.raises(NothingFitsError),
        advisor.rented(
            "resnet50",
            exclude_gpus=["A100"],
            min_ram_gb=100_000,
            min_vram_gb=8,
            datacenter=True,
            context=street.context(),
        ),
    ):
        pass
    assert street.instances() == []


def test_a_gpu_that_only_the_market_knows_can_be_left_out(street: Any) -> None:
    """Also when the chosen offer, which is another, is looked at once more."""
    box = max(street.world.fleet.boxes.values(), key=lambda one: len(one.offer_ids))
    gpu = replace(box.machine.gpu, gpu_name="RTX 9990")
    box.machine = replace(box.machine, gpu=gpu)
    box.relist(10**8)
    done = street.rent("--exclude-gpu", "RTX 9990")
    assert done.exit_code == 0, done.stderr


def test_nobody_is_asked_without_a_terminal(street: Any) -> None:
    """Without --yes nothing is rented, and the exit code is that of usage."""
    done = street.launch("rent", "--workload", "resnet50")
    assert done.exit_code == 2
    assert "--yes" in done.stderr
    assert street.instances() == []


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--max-epoch-cost", "0.000001"), 6),
        (("--budget", "0.0001"), 6),
        (("--day-budget", "0.0001"), 6),
        (("--deadline", "1m"), 3),
        (("--max-price", "0.000001"), 3),
        (("--reserved",), 2),
        (("--job", "no:colons"), 2),
    ],
)
def test_what_does_not_fit_is_refused(
    street: Any, words: tuple[str, ...], code: int
) -> None:
    """With the exit code of the reason, and nothing is rented."""
    done = street.rent(*words)
    assert done.exit_code == code, done.stderr
    assert street.instances() == []


def test_each_attempt_is_told_also_where_none_led_anywhere(
    make_street: Any, conforms: Callable[[str, Any], None]
) -> None:
    """In the JSON of a failure, beside the reason."""
    street = make_street()
    street.world.set_faults(*SCENARIOS["contract-with-error"].faults)
    done = street.rent("--attempts", "2")
    assert done.exit_code == 3
    document = done.document
    conforms("rent", document)
    assert document["state"] == "not_rented"
    assert [one["outcome"] for one in document["attempts"]] == ["placement_failed"] * 2


def test_what_nobody_knows_is_not_called_nothing(make_street: Any) -> None:
    """The answer was lost and the market cannot be listed: state and exit code say so."""
    street = make_street()
    lost = replace(SCENARIOS["reset-after"].faults[0], operations=("rent",))
    page = SCENARIOS["html-page"].faults[0]
    page = replace(page, operations=("list",), skip=1)  # the listing before it is good
    street.world.set_faults(lost, page)
    done = street.rent()
    assert done.exit_code == 7, done.stderr
    assert done.document["state"] == "unknown"
    assert_accounted_for(street, done)


def test_the_steps_of_a_rental_are_kept(street: Any) -> None:
    """The JSON of `rentals` has them, the first one first."""
    number = street.rent().document["instance_id"]
    street.launch("release", str(number), "--yes")
    (row,) = street.launch("rentals", "--all", "--format", "json").document["rentals"]
    states = [step["state"] for step in row["history"]]
    assert states == ["intended", "held", "handed", "releasing", "released"]


def test_a_machine_is_not_blamed_for_a_market_that_does_not_answer(
    make_street: Any,
) -> None:
    """It is ended, and stays among the offers."""
    street = make_street()
    page = replace(SCENARIOS["html-page"].faults[0], operations=("show",))
    street.world.set_faults(page)
    done = street.rent("--start-timeout", "1m", "--attempts", "1")
    street.world.set_faults()
    assert done.exit_code == 7  # nor can it be seen that it is gone
    assert street.launch("hosts", "list", "--json").document["hosts"] == []


def test_a_market_that_only_lists_rents_nothing(street: Any) -> None:
    """The sample has no machines."""
    assert street.rent("--market", "sample").exit_code == 2


def test_a_wrong_key_is_told(street: Any) -> None:
    """With the exit code of a refused key."""
    assert street.rent(key="revoked-key-of-the-test").exit_code == 4


def test_release_ends_a_rental_for_good(street: Any) -> None:
    """And says so only once the market shows it no more."""
    number = street.rent().document["instance_id"]
    done = street.launch("release", str(number), "--yes")
    assert done.exit_code == 0, done.stderr
    assert street.instances() == []
    (entry,) = street.entries()
    assert entry.state == "released"


def test_release_knows_a_job_and_all(street: Any) -> None:
    """Others stay."""
    for job in ("a", "a", "b", "c"):
        assert street.rent("--job", job).exit_code == 0
    assert street.launch("release", "--job", "a", "--yes").exit_code == 0
    assert sorted(label.split(":")[1] for label in street.labels()) == ["b", "c"]
    assert street.launch("release", "--all", "--yes").exit_code == 0
    assert street.labels() == []
    assert street.launch("release", "--all", "--yes").exit_code == 2


def test_a_machine_that_is_not_ours_is_never_ended(street: Any) -> None:
    """Also if the market gives its id to what the ledger once had."""
    number = street.rent().document["instance_id"]
    (entry,) = street.entries()
    with street.world.lock:
        street.world.rentals.contracts[number].label = "somebody's own"
    done = street.launch("release", str(number), "--yes")
    assert done.exit_code == 7
    assert street.labels() == ["somebody's own"]
    assert entry.label in done.stderr or str(number) in done.stderr


def test_a_rental_past_its_lifetime_is_ended_by_reconcile(street: Any) -> None:
    """Not before; also one that another machine of the user made."""
    street.rent("--max-lifetime", "2h")
    street.rent("--max-lifetime", "2h", machine="there")
    street.sleep(3600.0)
    assert street.launch("reconcile").exit_code == 0
    assert len(street.instances()) == 2
    street.sleep(3700.0)
    done = street.launch("reconcile", "--format", "json")
    assert [one["action"] for one in done.document["rentals"]] == ["released"] * 2
    assert street.instances() == []


def test_two_machines_share_the_budget_of_a_day(street: Any) -> None:
    """What one has rented, the other has not got any more."""
    first = street.rent("--day-budget", "1000", "--max-lifetime", "10h").document
    spent = first["usd_per_hour"] * 9.0  # until midnight
    cap = str(spent + 0.05)
    assert street.rent("--day-budget", cap, machine="there").exit_code == 6
    assert len(street.instances()) == 1


def test_a_machine_of_the_console_counts_towards_the_day(street: Any) -> None:
    """Nobody knows when it ends: what it bills until midnight is spent."""
    street.console_machine()
    assert street.rent("--day-budget", "1", "--max-lifetime", "10h").exit_code == 6
    assert street.rent("--budget", "1", "--max-lifetime", "10h").exit_code == 0


def test_a_cap_shortens_the_lifetime(street: Any) -> None:
    """To what it pays for."""
    done = street.rent("--budget", "3", "--max-lifetime", "60d")
    assert done.exit_code == 0, done.stderr
    (entry,) = street.entries()
    hours = (entry.ends_at - entry.intended_at) / 3600.0
    assert hours * entry.usd_per_hour + entry.traffic_usd <= 3.0
    assert hours * entry.usd_per_hour + entry.traffic_usd > 2.9


def test_a_machine_that_does_not_start_is_replaced_and_remembered(
    make_street: Any,
) -> None:
    """The next offer is taken, nothing of the first is left, later ranks lack it."""
    street = make_street()
    street.world.set_faults(*SCENARIOS["two-buyers"].faults)
    done = street.rent("--start-timeout", "10m")
    assert done.exit_code == 0, done.stderr
    outcomes = [one["outcome"] for one in done.document["attempts"]]
    assert outcomes in (["too_slow", "rented"], ["broken", "rented"])
    assert len(street.instances()) == 1
    blocked = street.launch("hosts", "list", "--json").document["hosts"]
    assert [one["id"] for one in blocked] == [done.document["attempts"][0]["machine_id"]]


def test_a_driver_that_refuses_the_image_is_told_and_blamed_on_nobody(
    make_street: Any,
) -> None:
    """The next offer of that image has a newer driver; no host is left out for it."""
    street = make_street()
    street.world.set_faults(*SCENARIOS["driver-refuses"].faults)
    drivers = {one["id"]: version(one["driver_version"]) for one in street.records()}
    done = street.rent("--image", "pytorch/pytorch:2.12.1-cuda12.6-cudnn9-runtime")
    assert done.exit_code == 0, done.stderr
    first, second = done.document["attempts"]
    assert (first["outcome"], second["outcome"]) == ("driver_too_old", "rented")
    assert "the driver is too old for the image (" in done.stderr
    assert "unsatisfied condition: cuda>=" in done.stderr
    assert drivers[second["offer_id"]] > drivers[first["offer_id"]]
    assert street.launch("hosts", "list", "--json").document["hosts"] == []
    assert len(street.instances()) == 1


def version(text: str) -> list[int]:
    return [int(word) for word in text.split(".")]


def images(street: Any) -> list[str]:
    """Return the images of the contracts that exist, in order."""
    contracts = street.world.rentals.contracts
    return [contracts[one["id"]].wish.image for one in street.instances()]


def test_the_image_that_is_rented_is_the_one_that_was_ranked(street: Any) -> None:
    """By card and driver without --image, else what was asked for."""
    (ranked,) = street.launch(
        *("rank", "--market", "vast", "--workload", "resnet50", "--json", "--top", "1")
    ).document["offers"]
    planned = street.rent("--dry-run").document
    document = street.rent().document
    assert ranked["image"] == planned["image"] == document["image"]
    own = street.rent("--image", "me/training:3").document
    assert images(street) == [document["image"], own["image"]]
    assert own["image"] == "me/training:3"


def test_an_image_without_code_for_any_card_rents_nothing(street: Any) -> None:
    """The reason is counted, and the exit code is that of nothing that fits."""
    ancient = "pytorch/pytorch:2.0.1-cuda11.7-cudnn8-runtime"
    done = street.rent("--gpu", "RTX 5090", "--image", ancient)
    assert done.exit_code == 3
    assert "image_lacks_gpu" in done.stderr
    assert street.entries() == []


EXPECTED = {
    "bad-gateway": 0,  # asked again
    "contract-with-error": 3,  # each contract is ended, the next offer taken
    "driver-refuses": 0,  # the next offer with a newer driver
    "killed-for-memory": 0,  # nothing runs there that could be killed
    "no-kernel-image": 0,  # nobody looks without --wait
    "duplicated-offers": 0,
    "error-after": 0,  # found by its label
    "gateway-timeout": 0,
    "gpu-error": 0,  # nobody looks without --wait
    "html-page": 1,
    "key-revoked": 4,
    "lagging-list": 0,
    "lingering-list": 0,
    "nan": 0,
    "not-success": 1,
    "outbid": 0,  # on demand nobody can be
    "quota": 5,
    "redirect-elsewhere": 1,
    "reset-after": 0,  # found by its label
    "reset-before": 1,
    "slow-host": 0,  # nobody looks without --verify
    "stale-show": 0,
    "too-frequent": 0,  # waited for
    "too-frequent-retry-after": 0,
    "torn-json": 1,
    "two-buyers": 0,  # the next offer
    "unavailable": 1,
}
"""Fault -> exit code; what is rented is there with 0 alone."""


# What drips takes a client its real minute: tests/market has it with a short one.
FAULTS = sorted(SCENARIOS.keys() - {"slow-drip"})


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_has_its_outcome(make_street: Any, name: str, summary: Any) -> None:
    """One machine and exit code 0, or none and the code of why."""
    street = make_street()
    street.world.set_faults(*SCENARIOS[name].faults)
    done = street.rent("--start-timeout", "10m")
    said = done.stderr.splitlines()[-1][:90] if done.stderr else ""
    summary("advisor rent, by fault of the market", name, exit=done.exit_code, said=said)
    assert done.exit_code == EXPECTED[name]
    assert_accounted_for(street, done)


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
def test_no_fault_of_the_request_that_pays_leaves_anything(
    make_street: Any, name: str
) -> None:
    """Whatever becomes of it, the ledger has what the market has, and no more."""
    street = make_street()
    faults = SCENARIOS[name].faults
    street.world.set_faults(*(replace(one, operations=("rent",)) for one in faults))
    assert_accounted_for(street, street.rent("--start-timeout", "10m"))


def assert_accounted_for(street: Any, done: Any) -> None:
    """After `reconcile`, a minute later, market and ledger must agree."""
    street.world.set_faults()
    for _ in range(3):
        street.sleep(MINUTE_S + 1)
        settled = street.launch("reconcile")
    assert settled.exit_code == 0, settled.stderr
    handed = [one for one in street.entries() if one.state == "handed"]
    assert sorted(street.labels()) == sorted(one.label for one in handed)
    assert len(handed) == (1 if done.exit_code == 0 else 0)


def test_an_unknown_outcome_keeps_the_next_rental_waiting(make_street: Any) -> None:
    """Listings must lack it for five minutes; until then the exit code is 7."""
    street = make_street()
    ledger = street.ledger()
    assert street.rent("--dry-run").exit_code == 0
    label = "advisor:lost:ffffffff-0123456789abcdef"

    context = street.context()
    market = rentable(
        open_market("vast", context.variables, context.home, None, context.clock)
    )
    rental_context = open_rental_context(
        market, context.data_folder, context.clock, print
    )
    now = rental_context.now()
    ledger.intend(
        Entry(
            label,
            rental_context.account,
            "lost",
            "intended",
            1,
            1,
            (1,),
            "X",
            1,
            1.0,
            0.0,
            now,
            now,
        ),
        lambda _: None,
    )
    assert street.rent().exit_code == 7
    street.sleep(290.0)
    assert street.rent().exit_code == 7
    assert street.instances() == []
    street.sleep(11.0)
    assert street.rent().exit_code == 0
    assert ledger.entry(label).state == "refused"


@pytest.mark.slow
def test_eight_launchers_get_a_machine_each(make_street: Any) -> None:
    """Of thirty offers, no GPU twice, none waits for ever."""
    street = make_street(offers=30)
    codes: list[int] = []

    def launch(number: int) -> None:
        words = ("--job", f"job-{number}", "--attempts", "20")
        codes.append(street.rent_beside_others(*words))

    threads = [threading.Thread(target=launch, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60.0)
    assert len(codes) == 8
    assert set(codes) <= {0, 3}
    handed = [one for one in street.entries() if one.state == "handed"]
    assert len(handed) == codes.count(0) == len(street.instances())
    gpus = [(one.machine_id, gpu) for one in handed for gpu in one.gpu_ids]
    assert len(gpus) == len(set(gpus))
