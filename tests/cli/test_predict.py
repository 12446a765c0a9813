"""`advisor predict`: its text, its contract, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from advisor.app.predict import predict
from advisor.report.predicted import predicted_text

Advisor = Callable[..., Any]
MACHINE = (
    *("predict", "--workload", "resnet50", "--gpu", "RTX 4090", "--num-gpus", "2"),
    *("--cpu", "AMD EPYC 7702", "--cores", "16"),
)
OF_A_MARKET = {
    "rank",
    "offer_id",
    "machine_id",
    "usd_per_hour",
    "bid_usd_per_hour",
    "epoch_usd",
    "epoch_usd_low",
    "epoch_usd_high",
    "epoch_rent_usd",
    "epoch_storage_usd",
    "epoch_traffic_usd",
    "epoch_next_machine_usd",
    "job_usd",
    "job_hours",
    "checkpoint_hours",
    "expected_failures",
    "expected_preemptions",
    "expected_moves",
    "expected_failed_starts",
    "image",
    "cuda_max",
    "driver_version",
    "cpu_arch",
    "host_ram_gb",
    "host_ram_risk",
    "inet_down_mbit_s",
    "inet_up_mbit_s",
    "disk_mb_s",
    "verification",
    "hosting_type",
    "direct_port_count",
    "tied_with",
    "alternatives",
    "reliability",
    "geolocation",
    "duration_s",
    *("epoch_usd_own_low", "epoch_usd_own_high", "first_cheaper"),
}
ENVELOPE = {
    *("schema_version", "answer", "workload", "model", "assumptions", "rests_on"),
    "advice",
}


def test_the_text_says_everything(advisor: Advisor) -> None:
    """Throughput, interval, each limit, what binds, batch, epoch, evidence, flags."""
    outcome = advisor(*MACHINE)
    assert outcome.exit_code == 0
    assert outcome.stderr == ""
    text = outcome.stdout
    entry = advisor(*MACHINE, "--json").document
    assert text.startswith("Is the CPU a bottleneck? ")
    assert "\nresnet50 on 2 x RTX 4090, EPYC 7702, 16 threads\n" in text
    for words in (
        *("samples/s, 90 % interval", "computed as 256 x 1", " min, 90 % interval"),
        f"bound by    {entry['bound_by']}",
        f"{entry['rests_on']['workload_measurements']} measurements of this workload",
        f"{entry['rests_on']['gpu_measurements']} of this GPU",
        ", ".join(entry["rests_on"]["nearest"]),
        *entry["limits"],
        *entry["flags"],
    ):
        assert words in text
    assert all(line == line.rstrip() for line in text.splitlines())


def test_the_json_has_the_keys_of_an_offer(advisor: Advisor) -> None:
    """An entry of `rank` and one of `predict` differ by what it rests on alone."""
    ranked = advisor("rank", "--workload", "resnet50", "--top", "1", "--json").document
    document = advisor(*MACHINE, "--json").document
    (offer,) = ranked["offers"]
    assert set(document) == set(offer) | ENVELOPE
    assert set(document["limits"]) == set(offer["limits"])
    assert document["schema_version"] == 1
    assert document["workload"]["name"] == "resnet50"
    assert set(document["assumptions"]) == set(ranked["assumptions"])
    assert {key for key in offer if document[key] is None} == OF_A_MARKET | {"cpu_ghz"}
    assert "NaN" not in json.dumps(document)


def test_the_tokens_that_count_are_told(advisor: Advisor) -> None:
    """Samples of tokens have a line of them, padding left out; others have none."""
    padded = advisor("predict", "llama-8b-lora", "--gpu", "RTX 4090").stdout
    assert "tokens/s; 75% of all is padding" in padded
    packed = advisor(
        *("predict", "llama-8b-lora", "--gpu", "RTX 4090", "--set", "packed=true")
    ).stdout
    assert "tokens/s\n" in packed
    assert "tokens" not in advisor("predict", "resnet50", "--gpu", "RTX 4090").stdout


def test_the_verdict_on_a_cpu(advisor: Advisor) -> None:
    """The question is answered first, with what would do; JSON says the same."""
    weak = ("--gpu", "RTX A4000", "--cpu", "Intel Xeon Bronze 3104", "--num-gpus", "1")
    arguments = ("predict", "--workload", "resnet18", *weak)
    text = advisor(*arguments).stdout
    advice = advisor(*arguments, "--json").document["advice"]
    assert advice["cpu_is_bottleneck"] is True
    (cpu,) = [one for one in advice["bottlenecks"] if one["part"] == "cpu"]
    assert cpu["degree"] == "yes"
    assert text.startswith(
        f"Is the CPU a bottleneck? Yes: the GPU waits {100 * cpu['gpu_waits']:.0f} % of "
        f"the time, for its input pipeline; {advice['enough_threads']} threads would do, "
        "it has 6.\n"
    )
    for words in ("more threads", f"{advice['loader_workers']} data loader workers"):
        assert words in text
    document = advisor(*arguments, "--json").document
    hours = document["epoch_hours"] * advice["gpu_waits"]
    assert advice["gpu_waits_hours_per_epoch"] == pytest.approx(hours)
    other = advisor("predict", "--workload", "bert-base", *weak).stdout
    assert other.startswith("Is the CPU a bottleneck? No: it could feed ")
    assert "Nothing would help but faster GPUs." in other


def test_the_verdict_on_a_cpu_of_no_table(advisor: Advisor) -> None:
    """Told by threads and clock alone, a CPU is judged as an assumed one."""
    arguments = (
        "predict",
        "--workload",
        "resnet18",
        "--gpu",
        "RTX 4090",
        "--cpu",
        "Foo 9",
    )
    slow, fast = (
        advisor(*arguments, "--cores", "8", "--clock", clock, "--json").document
        for clock in ("1.5", "4.5")
    )
    assert slow["advice"]["cpu_is_bottleneck"] is True
    assert slow["advice"]["gpu_waits"] > fast["advice"]["gpu_waits"]
    assert "cpu_unknown" in slow["flags"]


def test_the_options_reach_the_prediction(advisor: Advisor) -> None:
    """Clock, batch and figures of the profile change what they say."""
    entry = advisor(
        *(*MACHINE, "--json", "--clock", "3.2", "--batch", "64"),
        *("--set", "cpu_ms_per_sample=41"),
    ).document
    assert entry["cpu_ghz"] == 3.2
    assert entry["micro_batch"] == 64
    assert entry["bound_by"] == "cpu"
    plain = advisor(*MACHINE, "--json").document
    assert entry["limits"]["cpu"] < 0.3 * plain["limits"]["cpu"]


def test_rank_takes_figures_too(advisor: Advisor) -> None:
    """`rank --set` ranks the profile with the figure replaced."""
    arguments = ("rank", "--workload", "resnet50", "--top", "3", "--json", "--set")
    document = advisor(*arguments, "batch_size=16").document
    assert document["workload"]["batch_size"] == 16
    assert document["workload"]["sources"]["batch_size"] == "set by the user"
    assert {entry["micro_batch"] for entry in document["offers"]} == {16}


@pytest.mark.parametrize(
    ("arguments", "exit_code", "words"),
    [
        (("--gpu", "RTX 4900"), 2, "RTX 4090"),
        (("--gpu", "RTX 4090,A101"), 2, "A100"),
        (("--workload", "resnet-50"), 2, "resnet50"),
        (("--num-gpus", "0"), 2, "--num-gpus: a whole number of 1 to 1,024"),
        (("--cores", "0"), 2, "above zero"),
        (("--cores", "nan"), 2, "finite"),
        (("--clock", "-1"), 2, "above zero"),
        (("--clock", "3500"), 2, "--clock: a number from 0.1 to 20"),
        (("--batch", "0"), 2, "0"),
        (("--set", "batchsize=1"), 2, "batch_size"),
        (("--set", "batch_size"), 2, "key=value"),
        (("--workload", "llama-7b-lora", "--gpu", "RTX 2060"), 3, "does not fit"),
    ],
)
def test_wrong_words_say_what_to_do(
    advisor: Advisor, arguments: tuple[str, ...], exit_code: int, words: str
) -> None:
    """What cannot be predicted is one line with the way out."""
    outcome = advisor(*MACHINE, *arguments)
    assert outcome.exit_code == exit_code
    assert words in outcome.stderr
    assert outcome.stdout == ""


def test_rank_refuses_a_wrong_figure(advisor: Advisor) -> None:
    """A figure that is not known is exit code 2 and names the one that is near."""
    outcome = advisor("rank", "--workload", "resnet50", "--set", "epoch=3")
    assert outcome.exit_code == 2
    assert "did you mean epochs?" in outcome.stderr


@pytest.mark.parametrize("workload", ["maskrcnn-r50", "vit-b16", "gpt2-124m"])
def test_a_machine_of_which_little_is_known(advisor: Advisor, workload: str) -> None:
    """A card alone is enough; what is missing is said in words."""
    outcome = advisor("predict", "--workload", workload, "--gpu", "RTX 3090")
    assert outcome.exit_code == 0
    assert "unknown CPU, unknown threads" in outcome.stdout
    assert "the CPU is not given" in outcome.stdout


def test_a_single_gpu_exchanges_no_gradients(advisor: Advisor) -> None:
    """A limit that does not hold is called none, and null in JSON."""
    one = ("predict", "--workload", "resnet50", "--gpu", "RTX 4090")
    text = advisor(*one).stdout
    (line,) = (row for row in text.splitlines() if "gradients" in row)
    assert "no limit: disk, gradients" in line
    assert "all-reduce" not in text
    assert advisor(*one, "--json").document["limits"]["gradients"] is None


def test_a_level_that_was_not_measured_is_said(advisor: Advisor) -> None:
    """A precision or a net without measurements names what stands in for them."""
    base = ("predict", "--workload", "vit-b16", "--gpu", "RTX 3090", "--set")
    assert "other precisions" in advisor(*base, "precision=fp16").stdout
    assert "kind of net" in advisor(*base, "reference.benchmark=").stdout


def test_the_command_prints_the_public_functions_answer(advisor: Advisor) -> None:
    """The shell shows what Python returns, each flag on a line of its own at the end."""
    prediction = predict("resnet50", "RTX 4090")
    shown = advisor("predict", "--workload", "resnet50", "--gpu", "RTX 4090").stdout
    assert shown == predicted_text(prediction) + "\n"
    last = shown.splitlines()[-len(prediction.flags) :]
    assert [line.split()[0] for line in last] == list(prediction.flags)
