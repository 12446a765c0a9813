"""The image of a job on the command line: named, of a profile, of a file, or chosen."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Advisor = Callable[..., Any]
OLD = "pytorch/pytorch:2.5.1-cuda12.4-cudnn9-runtime"
JOB = ("--workload", "resnet50", "--market", "sample")


def rank(advisor: Advisor, *words: str) -> Any:
    outcome = advisor("rank", *JOB, "--json", *words)
    assert outcome.exit_code == 0, outcome.stderr
    return outcome


def images(outcome: Any) -> set[str]:
    return {one["image"] for one in outcome.document["offers"]}


def test_each_offer_has_the_newest_image_that_it_runs(advisor: Advisor) -> None:
    """Blackwell cards and new drivers another one than old ones; nobody has none."""
    offers = rank(advisor, "--top", "1000").document["offers"]
    for one in offers:
        cuda = float(one["image"].split("-cuda")[1].split("-")[0])
        assert int(cuda) <= one["cuda_max"]
        if one["compute_capability"] >= 10.0:
            assert cuda >= 12.8
        if one["compute_capability"] < 7.5:
            assert cuda == 12.6
    assert len({one["image"] for one in offers}) == 3


def test_one_image_for_all_leaves_out_what_cannot_run_it(advisor: Advisor) -> None:
    """Under counted reasons: no card is left that it has no code for."""
    outcome = rank(advisor, "--image", OLD, "--top", "1000")
    assert images(outcome) == {OLD}
    assert outcome.document["excluded"]["image_lacks_gpu"] > 0
    capabilities = [one["compute_capability"] for one in outcome.document["offers"]]
    assert max(capabilities) == 9.0


@pytest.mark.parametrize("command", ["explain", "compare", "bid"])
def test_every_command_of_a_job_knows_the_image(advisor: Advisor, command: str) -> None:
    """A card that it has no code for is refused by each of them."""
    blackwell = [
        str(one["offer_id"])
        for one in rank(advisor, "--top", "1000").document["offers"]
        if one["compute_capability"] >= 10.0
    ]
    shown = blackwell[: 2 if command == "compare" else 1]
    done = advisor(command, *shown, *JOB, "--image", OLD)
    assert done.exit_code == 3
    assert "image_lacks_gpu" in done.stderr


@pytest.mark.slow
def test_a_profile_and_a_file_name_an_image(advisor: Advisor, tmp_path: Path) -> None:
    """The command line goes before the profile, the profile before advisor.toml."""
    (tmp_path / "advisor.toml").write_text(f'[rental]\nimage = "{OLD}"\n')
    assert images(rank(advisor)) == {OLD}
    assert images(rank(advisor, "--set", "image=me/of-profile:1")) == {"me/of-profile:1"}
    named = ("--set", "image=me/of-profile:1", "--image", "me/asked-for:1")
    assert images(rank(advisor, *named)) == {"me/asked-for:1"}


def test_what_is_declared_of_an_image_counts(advisor: Advisor, tmp_path: Path) -> None:
    """GPU code and CUDA of an image that no rule knows, from advisor.toml."""
    lines = ('image = "me/x:1"', 'image_cuda = "12.4"', 'image_archs = "8.0;8.6"')
    (tmp_path / "advisor.toml").write_text("\n".join(("[rental]", *lines)))
    outcome = rank(advisor, "--top", "1000")
    capabilities = {one["compute_capability"] for one in outcome.document["offers"]}
    assert capabilities == {8.0, 8.6, 8.9}
    assert all("image_unknown" not in one["flags"] for one in outcome.document["offers"])


def test_a_doubt_about_the_image_costs_something(advisor: Advisor) -> None:
    """Cards that run it as PTX alone stay, flagged, and count as failing at times."""
    named = ("--set", "image=me/x:1", "--set", "image_cuda=12.4")
    outcome = rank(advisor, *named, "--set", "image_archs=8.6+PTX", "--top", "1000")
    by_kind: dict[bool, list[dict[str, Any]]] = {True: [], False: []}
    for one in outcome.document["offers"]:
        newer = one["compute_capability"] >= 9.0
        assert ("ptx_only" in one["flags"]) is newer
        by_kind[newer].append(one)
    assert min(one["expected_failed_starts"] for one in by_kind[True]) >= 0.5
    assert min(one["expected_failed_starts"] for one in by_kind[False]) < 0.1


def test_an_unknown_image_leaves_nothing_out_and_is_told(advisor: Advisor) -> None:
    """Nothing is guessed: each offer is flagged, and how to find out is said."""
    usual, outcome = rank(advisor), rank(advisor, "--image", "me/x:1")
    assert "advisor image me/x:1" in outcome.stderr
    assert all("image_unknown" in one["flags"] for one in outcome.document["offers"])
    assert usual.document["excluded"].keys() >= outcome.document["excluded"].keys()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--image", "Not An Image"), "can be no Docker image"),
        (("--set", "image_cuda=new"), "image_cuda"),
        (("--set", "image_archs=blackwell"), "image_archs"),
        (("--set", "image_archs=8.0"), "--set image="),
        (("--set", "image_cuda=12.4", "--image", "me/x:1"), "--set image="),
        (("--set", "host_ram_gb=-1"), "host_ram_gb"),
        (("--set", "loading=slowly"), "loading"),
    ],
)
def test_what_makes_no_sense_is_refused(
    advisor: Advisor, words: tuple[str, ...], told: str
) -> None:
    """As usage, with the name of what is wrong."""
    done = advisor("rank", *JOB, *words)
    assert done.exit_code == 2
    assert told in done.stderr


def test_a_host_with_too_little_memory_is_no_bargain(
    advisor: Advisor, record: dict[str, Any], tmp_path: Path
) -> None:
    """What surely does not suffice is left out; what may not is flagged and dearer."""
    sizes = {11: 4_000, 12: 30_000, 13: 500_000}
    offers = [
        {**record, "id": number, "machine_id": number, "gpu_ids": [number], "cpu_ram": mb}
        for number, mb in sizes.items()
    ]
    path = tmp_path / "offers.json"
    path.write_text(json.dumps({"offers": offers}))
    words = ("--workload", "resnet50", "--market", str(path), "--json")
    outcome = advisor("rank", *words, "--set", "host_ram_gb=32", "--set", "dataset_gb=1")
    document = outcome.document
    assert document["excluded"]["host_ram_too_small"] == 1
    best, tight = document["offers"]
    assert (best["offer_id"], tight["offer_id"]) == (13, 12)
    assert "host_ram_tight" in tight["flags"]
    assert "host_ram_tight" not in best["flags"]
    assert tight["expected_failed_starts"] > 0.5
    assert best["expected_failed_starts"] < 0.05
    assert tight["job_usd"] > best["job_usd"]


def test_weights_that_are_loaded_whole_need_as_much_memory(
    advisor: Advisor, record: dict[str, Any], tmp_path: Path
) -> None:
    """Less than the weights alone is left out at any risk; somewhat more is a risk."""
    sizes = {21: 100_000, 22: 150_000}
    eight = {"num_gpus": 8, "gpu_name": "H100 SXM", "gpu_ram": 81_559, "cpu_cores": 96}
    offers = [
        {
            **record,
            **eight,
            "id": number,
            "machine_id": number,
            "gpu_ids": list(range(8 * number, 8 * number + 8)),
            "cpu_ram": mb,
            "disk_space": 2_000,
        }
        for number, mb in sizes.items()
    ]
    path = tmp_path / "offers.json"
    path.write_text(json.dumps({"offers": offers}))
    words = ("rank", "--workload", "llama-70b-lora", "--market", str(path), "--json")
    document = advisor(*words, "--set", "loading=whole").document
    assert document["excluded"] == {"host_ram_too_small": 1}
    (tight,) = document["offers"]
    assert (tight["offer_id"], "host_ram_tight" in tight["flags"]) == (22, True)
    assert 0.5 < tight["host_ram_risk"] < 0.95
    assert tight["host_ram_risk"] < tight["expected_failed_starts"] < 1.1
    mapped = advisor(*words, "--set", "loading=mapped").document
    assert {one["offer_id"] for one in mapped["offers"]} == {21, 22}


def test_a_fitted_batch_leaves_no_host_out_for_its_memory(
    advisor: Advisor, record: dict[str, Any], tmp_path: Path
) -> None:
    """What is prefetched of it is a risk; of a batch that was asked for it decides."""
    path = tmp_path / "offers.json"
    path.write_text(json.dumps({"offers": [{**record, "cpu_ram": 24_000}]}))
    words = ("rank", "--workload", "resnet50", "--market", str(path), "--json")
    large = ("--set", "activation_mb_per_sample=1", "--set", "gpu_bytes_per_sample=1e6")
    fitted = advisor(*words, *large, "--fit-batch").document
    (one,) = fitted["offers"]
    assert "host_ram_tight" in one["flags"]
    assert one["host_ram_risk"] > 0.95
    assert one["expected_failed_starts"] <= 4.0
    batch = ("--set", "batch_size=10000")
    outcome = advisor(*words, *large, *batch)
    assert "host_ram_too_small 1" in outcome.stderr
