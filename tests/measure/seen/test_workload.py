"""A profile of what was seen: each figure as it was, or marked as what it is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from advisor.base.errors import AdvisorError
from advisor.measure.hooks.observation import Model, Observation, Optimizer
from advisor.measure.seen.workload import Seen, profile_of, relative_of
from advisor.workloads.dataset import Core
from advisor.workloads.dump import dump_workload
from advisor.workloads.load import load_workload
from advisor.workloads.parse import checked_workload, parse_workload
from advisor.workloads.profile import Workload


def made(observation: Observation, core: Core, **more: Any) -> Seen:
    return profile_of(
        observation, load_workload, name="mine", script="train.py", core=core, **more
    )


def test_what_was_seen_is_in_the_profile(pictures: Observation, core: Core) -> None:
    """Per sample, per step or per parameter, in the profile's own units."""
    work = made(pictures, core).workload
    assert (work.name, work.sample, work.task) == (
        *("mine", "image 64x64"),
        "image classification",
    )
    assert (work.batch_size, work.samples_per_epoch) == (32, 640.0)
    assert work.forward_gflops_per_sample == pytest.approx(0.134)
    assert work.training_flops_factor == pytest.approx(400 / 134)
    assert (work.parameters_m, work.trainable_parameters_m) == (0.48, 0.48)
    assert work.activation_mb_per_sample == pytest.approx(2.0)
    assert work.disk_bytes_per_sample == pytest.approx(30_000.0)
    assert work.gpu_bytes_per_sample == pytest.approx(49_160.0)
    assert work.dataset_gb == pytest.approx(640 * 30_000 / 1e9)
    assert (work.optimizer, work.attention, work.compiled) == ("momentum", "fused", False)


def test_cpu_time_is_scaled_to_the_reference_core(
    pictures: Observation, core: Core
) -> None:
    """A core twice as fast as the reference's needs half as long as that one."""
    seen = made(pictures, core)
    assert seen.workload.cpu_ms_per_sample == pytest.approx(1.0 * 2.0)
    assert seen.workload.cpu_ms_log_sd > core.log_sd
    assert "1 ms of CPU here" in seen.figures["cpu_ms_per_sample"].words


def test_every_figure_says_how_it_is_known(pictures: Observation, core: Core) -> None:
    """In the profile's sources, in its file, and to whoever asks."""
    seen = made(pictures, core)
    how = seen.marks
    assert how["batch_size"] == how["forward_gflops_per_sample"] == "measured"
    assert how["kernels_per_step"] == how["activation_mb_per_sample"] == "estimated"
    assert how["epochs"] == how["image_gb"] == "not seen"
    assert seen.workload.sources["epochs"].startswith("assumption: not seen")
    text = dump_workload(seen.workload, how)
    assert "batch_size = 32  # measured" in text.splitlines()
    assert "epochs = 90  # not seen" in text.splitlines()


def test_the_profile_is_one_that_loads(pictures: Observation, core: Core) -> None:
    """What is written down is read back equal, comments and all."""
    seen = made(pictures, core)
    text = dump_workload(seen.workload, seen.marks)
    assert parse_workload(text, "text") == checked_workload(seen.workload)


def test_accumulated_batches_are_one_step(texts: Observation, core: Core) -> None:
    """A step's samples are of all its batches; kernels are of one, and the optimizer."""
    seen = made(texts, core)
    assert seen.workload.batch_size == 16
    assert "adds up 2 batches" in seen.figures["batch_size"].words
    assert seen.workload.kernels_per_step == (180 + 240) / 6 + 15
    assert seen.workload.forward_gflops_per_sample == pytest.approx(0.268)


def test_tokens_are_those_of_the_texts(texts: Observation, core: Core) -> None:
    """Not of the masks beside them."""
    work = made(texts, core).workload
    assert (work.tokens_per_sample, work.sample) == (128.0, "sequence of 128 tokens")


@pytest.mark.parametrize(
    ("of", "changes", "name", "is_like"),
    [
        ("pictures", {}, "resnet50", True),
        ("pictures", {"fused_calls": 4}, "vit-b16", True),
        ("texts", {}, "gpt2-124m", True),
        ("texts", {"name": "BertForSequenceClassification"}, "bert-base", True),
        ("texts", {"fused_calls": 0}, "gpt2-124m", False),
        ("texts", {"inputs": []}, "resnet50", True),
    ],
)
def test_what_was_not_seen_is_of_the_nearest(
    request: pytest.FixtureRequest,
    of: str,
    changes: dict[str, Any],
    name: str,
    is_like: bool,
) -> None:
    """By what goes into the net, and whether it attends."""
    observation: Observation = request.getfixturevalue(of)
    calls = changes.pop("fused_calls", observation.attention.fused_calls)
    observation = replace(
        observation,
        attention=replace(observation.attention, fused_calls=calls),
        models=[replace(observation.models[0], **changes)],
    )
    if of == "texts" and changes.get("inputs") == []:
        observation = replace(observation, attention=type(observation.attention)())
    found = relative_of(observation)
    assert (found.name, found.is_like) == (name, is_like)


def test_what_is_like_nothing_takes_no_level(texts: Observation, core: Core) -> None:
    """Nobody measured an RNN: no benchmark says how efficient it is."""
    recurrent = replace(texts, attention=type(texts.attention)())
    seen = made(recurrent, core)
    assert seen.workload.reference.benchmark == ""
    assert (seen.workload.task, seen.workload.epochs) == ("not said", 1)
    assert seen.marks["epochs"] == "not seen"


def test_a_named_base_has_what_was_not_seen(texts: Observation, core: Core) -> None:
    """Also where another one is nearer."""
    seen = made(texts, core, base="bert-base")
    assert (seen.base, seen.workload.epochs) == ("bert-base", 2)
    assert seen.workload.reference.benchmark == "bert-base-squad"


def test_nothing_of_another_net_is_inherited(pictures: Observation, core: Core) -> None:
    """What an image model has no use for is not left in from the base."""
    work = made(pictures, core, base="gpt2-124m").workload
    assert (work.tokens_per_sample, work.attention_mb_per_sample) == (0.0, 0.0)


def test_what_the_user_says_of_an_epoch_counts(pictures: Observation, core: Core) -> None:
    """A stream knows no length."""
    seen = made(pictures, core, epoch_samples=1000)
    assert seen.workload.samples_per_epoch == 1000.0
    assert seen.figures["samples_per_epoch"].words == "set by the user"
    assert seen.figures["samples_per_epoch"].how == "stated"


def test_an_epoch_without_length_is_marked(pictures: Observation, core: Core) -> None:
    """It is the base's, and not seen."""
    loader = replace(pictures.loaders[0], samples_per_epoch=None)
    seen = made(replace(pictures, loaders=[loader]), core)
    assert seen.marks["samples_per_epoch"] == "not seen"


@pytest.mark.parametrize("lacking", ["counted", "models", "steps"])
def test_too_little_is_no_profile(
    pictures: Observation, core: Core, lacking: str
) -> None:
    """Without batch, operations or parameters it would be another training's."""
    empty = replace(pictures, **{lacking: getattr(Observation(), lacking)})
    with pytest.raises(AdvisorError, match="too little was seen") as found:
        made(empty, core)
    assert "let it run for longer" in str(found.value)


def test_frozen_parts_are_held_but_not_trained(pictures: Observation, core: Core) -> None:
    """Their bytes are those in which they are held."""
    frozen = Model("Encoder", 1_000_000, 1_000_000, 2_000_000, {"float16": 1_000_000})
    observation = replace(pictures, models=[*pictures.models, frozen])
    work = made(observation, core).workload
    assert (work.parameters_m, work.trainable_parameters_m) == (1.48, 0.48)
    assert work.weight_bytes_per_parameter == pytest.approx(2.0)


def test_adapters_are_a_technique(texts: Observation, core: Core) -> None:
    """Beside quantized weights another one."""
    net = replace(texts.models[0], parameters=10**7, modules={"LoraLayer": 8})
    lora = replace(
        texts, models=[net], optimizers=[replace(texts.optimizers[0], parameters=10**5)]
    )
    assert made(lora, core).workload.technique == "lora"
    quantized = replace(net, modules={"LoraLayer": 8, "Linear4bit": 8})
    work = made(replace(lora, models=[quantized]), core).workload
    assert (work.technique, work.base_weights) == ("qlora", "nf4")


def test_recomputed_activations_are_known_as_such(
    pictures: Observation, core: Core
) -> None:
    """What is kept is a share of what would be."""
    flops = {**pictures.counted.flops, "recomputed": 96 * 120e6}
    counted = replace(pictures.counted, flops=flops)
    work = made(replace(pictures, counted=counted), core).workload
    assert work.gradient_checkpointing
    assert work.checkpointed_mb_per_sample == pytest.approx(2.0)
    assert work.activation_mb_per_sample > work.checkpointed_mb_per_sample


def test_a_profile_ranks(pictures: Observation, core: Core) -> None:
    """It is complete: a prediction takes it."""
    import advisor  # noqa: PLC0415

    work: Workload = made(pictures, core).workload
    assert advisor.predict(work, "RTX 3090").samples_per_s > 0.0


def test_optimizers_of_two_nets_count_together(pictures: Observation, core: Core) -> None:
    """A generator and its critic are both trained."""
    critic = Model("Critic", 10**5, 10**5, 4 * 10**5, {"float32": 10**5}, is_trained=True)
    second = Optimizer("torch.optim.adam.Adam", parameters=10**5, steps=60)
    observation = replace(
        pictures,
        models=[*pictures.models, critic],
        optimizers=[*pictures.optimizers, second],
    )
    work = made(observation, core).workload
    assert work.trainable_parameters_m == work.parameters_m == pytest.approx(0.58)
