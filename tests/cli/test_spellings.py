"""Names, lists and places as people write them, and what is said of the unknown."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Advisor = Callable[..., Any]
CPU = ("--cpu", "7980X")


def predicted(advisor: Advisor, *options: str, workload: str = "resnet18") -> Any:
    done = advisor("predict", workload, *options, "--json")
    assert done.exit_code == 0, done.stderr
    return done.document


def test_a_cpu_of_a_family(advisor: Advisor) -> None:
    """A Xeon E3-1204 v5 has four threads, and starves an RTX A4000 of small images."""
    options = ("--gpu", "RTX A4000", "--cpu", "Xeon E3-1204 v5")
    found = predicted(advisor, *options)
    assert found["cpu_cores"] == 4
    assert "cpu_family" in found["flags"]
    assert not {"cpu_unknown", "cores_unknown"} & set(found["flags"])
    assert found["advice"]["cpu_is_bottleneck"] is True
    assert found["advice"]["gpu_waits"] > 0.4
    assert found["samples_per_s"] < 0.6 * found["limits"]["gpu"]
    text = advisor("predict", "resnet18", *options).stdout
    assert "Xeon E3-1204 v5, 4 threads" in text
    assert "its name says its family: Skylake, 4 cores" in text
    assert text.startswith("Is the CPU a bottleneck? Yes: ")
    text = advisor("predict", "bert-base", *options).stdout
    assert text.startswith("Is the CPU a bottleneck? No: ")


def test_a_family_widens_the_interval(advisor: Advisor) -> None:
    """What is not in the table is known less well than what is."""
    options = ("--gpu", "RTX A4000", "--cores", "4", "--cpu")
    kin = predicted(advisor, *options, "Xeon E3-1239 v5")
    known = predicted(advisor, *options, "Xeon E3-1230 v5")
    width, before = (
        one["samples_per_s_high"] / one["samples_per_s_low"] for one in (kin, known)
    )
    assert width > before


def test_no_verdict_on_a_cpu_that_nobody_named(advisor: Advisor) -> None:
    """Neither name nor threads: JSON has null, the text says how to name one."""
    found = predicted(advisor, "--gpu", "RTX A4000")["advice"]
    assert found["cpu_is_bottleneck"] is None
    assert found["cpu_headroom"] is None
    assert not any("threads" in one["change"] for one in found["improvements"])
    text = advisor("predict", "resnet18", "--gpu", "RTX A4000").stdout
    assert text.startswith("Is the CPU a bottleneck? Unknown: neither its name nor ")
    assert "name it, or give its threads" in text
    told = predicted(advisor, "--gpu", "RTX A4000", "--cores", "4")["advice"]
    assert told["cpu_is_bottleneck"] is True


@pytest.mark.parametrize(
    ("cpu", "name", "threads"),
    [
        ("7980X", "AMD Ryzen Threadripper 7980X", 128),
        ("i7-12700", "Intel Core i7-12700", 20),
        ("Ryzen 5600x", "AMD Ryzen 5 5600X", 12),
        ("AMD EPYC 7702", "AMD EPYC 7702", 128),
    ],
)
def test_cpus_in_few_words(advisor: Advisor, cpu: str, name: str, threads: int) -> None:
    """The number is enough, and the answer says which CPU was meant."""
    found = predicted(advisor, "--gpu", "RTX 4090", "--cpu", cpu)
    assert (found["cpu_name"], found["cpu_cores"]) == (name, threads)
    assert not {"cpu_family", "cpu_unknown"} & set(found["flags"])


def test_an_unknown_cpu_is_refused(advisor: Advisor) -> None:
    """With what is near, and what else would do; threads or clock do."""
    refused = advisor("predict", "resnet18", "--gpu", "RTX 4090", "--cpu", "EPYC 77002")
    assert refused.exit_code == 2
    assert "did you mean AMD EPYC 7702" in refused.stderr
    assert "--cores and --clock" in refused.stderr
    assert not refused.stdout
    for option in ("--cores", "--clock", "--ghz"):
        found = predicted(
            advisor, "--gpu", "RTX 4090", "--cpu", "EPYC 77002", option, "4"
        )
        assert "cpu_unknown" in found["flags"]


def test_recorded_runs_keep_the_cpu_that_was_meant(
    advisor: Advisor, tmp_path: Path
) -> None:
    """What is recorded of a 7980X is found again, and a slip is refused."""
    run = ("record", "resnet18", "--gpu", "rtx4090", "--throughput", "2000", "--cpu")
    assert advisor(*run, "EPYC 77002").exit_code == 2
    assert advisor(*run, "7980X").exit_code == 0
    kept = advisor("records", "list", "--json")
    assert "AMD Ryzen Threadripper 7980X" in kept.stdout


@pytest.mark.parametrize(
    "gpu", ["rtx4090", "RTX4090", "rtx 4090", "4090", "GeForceRTX4090"]
)
def test_a_gpu_in_one_word(advisor: Advisor, gpu: str) -> None:
    """Blanks and capitals do not matter, to rank and to predict alike."""
    assert predicted(advisor, "--gpu", gpu, *CPU)["gpu_name"] == "RTX 4090"
    ranked = advisor("rank", "resnet18", "--gpu", gpu, "--json").document
    assert {one["gpu_name"] for one in ranked["offers"]} == {"RTX 4090"}


def test_a_family_of_gpus_in_predict(advisor: Advisor) -> None:
    """All of an A100, the fastest first; what is too small is told and left out."""
    found = predicted(advisor, "--gpu", "A100", *CPU)["predictions"]
    rates = [one["samples_per_s"] for one in found]
    assert len(found) == 4
    assert rates == sorted(rates, reverse=True)
    text = advisor("predict", "resnet18", "--gpu", "A100,rtx4090", *CPU).stdout
    assert all(one["gpu_name"] in text for one in found)
    assert "1 x RTX 4090" in text
    large = advisor("predict", "llama-13b-lora", "--gpu", "RTX 3060,A100", *CPU)
    assert large.exit_code == 0
    assert "does not fit" in large.stderr
    assert "RTX 3060" not in large.stdout
    none = advisor("predict", "llama-13b-lora", "--gpu", "RTX 3060,RTX 2060", *CPU)
    assert none.exit_code == 3


def test_lists_by_comma(advisor: Advisor) -> None:
    """One option with commas says what the option given twice does."""
    words = ("rank", "resnet18", "--json")
    commas = ("--gpu", "rtx4090, RTX 3090", "--num-gpus", "1,2", "--region", "US,Sweden")
    twice = (
        *("--gpu", "RTX 4090", "--gpu", "RTX 3090", "--num-gpus", "1"),
        *("--num-gpus", "2", "--region", "US", "--region", "SE"),
    )
    one, other = (advisor(*words, *options).document for options in (commas, twice))
    assert one["offers"] == other["offers"]
    assert {offer["num_gpus"] for offer in one["offers"]} == {1, 2}
    for nothing in (
        ("--num-gpus", "1,0"),
        ("--gpu", ","),
        ("--gpu", ""),
        ("--region", ""),
    ):
        assert advisor(*words, *nothing).exit_code == 2


def test_offers_of_a_state(advisor: Advisor) -> None:
    """A state, as its name or as markets write it, and not its country."""
    words = ("rank", "resnet18", "--json", "--region")
    texas = advisor(*words, "Texas").document["offers"]
    assert texas
    assert {one["geolocation"] for one in texas} == {"Texas, US"}
    assert advisor(*words, "Texas, US").document["offers"] == texas
    slip = advisor(*words, "Texes")
    assert slip.exit_code == 2
    assert "Texas" in slip.stderr


@pytest.mark.parametrize("command", ["rank", "predict"])
def test_the_workload_as_an_argument(advisor: Advisor, command: str) -> None:
    """It may stand alone; said twice it must be the same."""
    gpu = ("--gpu", "RTX 4090", *(CPU if command == "predict" else ()), "--json")
    alone = advisor(command, "resnet18", *gpu).document
    option = advisor(command, "--workload", "resnet18", *gpu).document
    assert alone["workload"] == option["workload"]
    both = advisor(command, "resnet18", "--workload", "bert-base", *gpu)
    assert both.exit_code == 2
    assert "contradict" in both.stderr
    none = advisor(command, *gpu)
    assert none.exit_code == 2
    assert "workload" in none.stderr


def test_explain_takes_offer_and_workload(advisor: Advisor) -> None:
    """Two arguments in this order, and on an empty market the market is to blame."""
    (first,) = advisor("rank", "resnet18", "--top", "1", "--json").document["offers"]
    done = advisor("explain", str(first["offer_id"]), "resnet18", "--json")
    assert done.document["offer"]["offer_id"] == first["offer_id"]


def test_an_empty_market_is_not_an_offer_that_is_gone(
    advisor: Advisor, tmp_path: Path
) -> None:
    """`explain` says so as `rank` does."""
    path = tmp_path / "market.json"
    path.write_text(json.dumps([]), encoding="utf-8")
    done = advisor("explain", "5", "resnet18", "--market", str(path))
    assert done.exit_code == 3
    assert "market is empty" in done.stderr


@pytest.mark.parametrize(
    ("gpu", "lacking"),
    [("RTX 2080 Ti", True), ("GTX 1080 Ti", True), ("RTX 3090", False)],
)
def test_bf16_on_a_card_without_it(advisor: Advisor, gpu: str, lacking: bool) -> None:
    """Pascal and Turing have none: flagged where the workload asks for it alone."""
    options = ("--gpu", gpu, "--set", "batch_size=1", *CPU)
    found = predicted(advisor, *options, workload="gpt2-124m")
    assert ("bf16_lacking" in found["flags"]) is lacking
    assert "bf16_lacking" not in predicted(advisor, *options)["flags"]


@pytest.mark.parametrize(("gpu", "memory"), [("RTX 4090", "24"), ("RTX A4000", "16")])
def test_memory_is_that_on_the_box(advisor: Advisor, gpu: str, memory: str) -> None:
    """A card of 24 GB has 24 wherever text speaks of it."""
    text = advisor("predict", "resnet18", "--gpu", gpu, *CPU).stdout
    assert f"of each GPU's {memory} GB" in text
    large = advisor("predict", "llama-70b-full", "--gpu", gpu, *CPU)
    assert large.exit_code == 3
    assert f"{gpu} has {memory}" in large.stderr


def test_several_gpus_are_bound_by_what_binds(advisor: Advisor) -> None:
    """Their own work and the exchange after it bind together, before a CPU that waits."""
    options = ("--gpu", "RTX 4090", "--num-gpus", "8", "--cpu", "AMD EPYC 7702")
    found = predicted(advisor, *options, workload="bert-large")
    limits = found["limits"]
    together = 1.0 / (1.0 / limits["gpu"] + 1.0 / limits["gradients"])
    assert together < min(limits["cpu"], limits["launch"])
    assert found["bound_by"] in {"gpu", "gradients"}
    assert not any("NVLink" in one["change"] for one in found["advice"]["improvements"])
    text = advisor("predict", "bert-large", *options).stdout
    assert "The all-reduce of gradients? Yes: the GPU waits " in text
