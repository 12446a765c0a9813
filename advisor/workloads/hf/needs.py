"""What a configuration needs in a training, by the library where it is installed.

Parameters are the library's own count, else by formula. Operations are PyTorch's count
where a pass runs on the meta device, else by formula. What is stored from forward to
backward, and kernels, are by formula.
"""

from __future__ import annotations

from dataclasses import dataclass

from advisor.base.errors import Given, UsageError
from advisor.workloads.hf import library
from advisor.workloads.hf.families import KNOWN, Task, net_by_formula, stated_task
from advisor.workloads.hf.library import Built
from advisor.workloads.hf.net import Net
from advisor.workloads.hf.outline import outline
from advisor.workloads.hf.settings import Settings
from advisor.workloads.transformer import Needs

_APART = 0.01
"""Share by which formula and library may differ before it is reported."""

_FRAMES_S = 100.0
"""Frames of a spectrogram in a second (Radford et al., 2022: a stride of 10 ms)."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a configuration before its samples are.

    Attributes
    ----------
    settings : the configuration
    net : by formula, or the outline of one that the library alone knows
    built : by the library; None: it is not installed or has no such net
    notes : what people should know, a line each
    """

    settings: Settings
    net: Net
    built: Built | None
    notes: tuple[str, ...]

    @property
    def parameters(self) -> int:
        """All parameters."""
        return self.net.parameters if self.built is None else self.built.parameters

    @property
    def active(self) -> int:
        """Parameters that a token goes through or is looked up in."""
        if self.built is None or self.built.active is None:
            return self.net.active_parameters
        return self.built.active

    @property
    def usual_base(self) -> str:
        """Name of a profile of a like training."""
        if self.net.sound:
            return "whisper-small"
        if self.net.image and not self.net.vocabulary:
            return "vit-b16"
        if self.net.causal or self.net.encoder_decoder:
            return "gpt2-124m"
        return "bert-base"


def look_at(settings: Settings, task: Task | None) -> Known:
    """Read a configuration, by library and formula.

    Parameters
    ----------
    settings : the configuration
    task : what the net is trained for; None: what the file states, else what is usual

    Raises
    ------
    advisor.base.errors.UsageError
        if nobody knows such a net, a size is missing or cannot be right, or the library
        refuses the configuration
    """
    kind = settings.kind
    if not kind:
        message = f"{settings.origin}: missing: model_type"
        raise UsageError(message)
    net = net_by_formula(settings, task) if kind in KNOWN else None
    built = None
    if library.installed() and library.knows(kind):
        built = library.build(settings, task)
    if net is None:
        if built is None:
            raise UsageError(_unknown(settings))
        net = outline(settings, built)
    return Known(settings, net, built, tuple(_notes(settings, task, net, built)))


def needs(
    known: Known, tokens: int | None, target: int | None, rank: int | None, autocast: bool
) -> Needs:
    """Return what a sample and a step need.

    Parameters
    ----------
    known : the configuration
    tokens : of a sample; of no matter where the net reads no text
    target : tokens to predict, of a net that reads one text and writes another; None: as
        many as it reads, an assumption
    rank : of adapters on query and value projections, the rest frozen; None: all
        parameters are trained
    autocast : the residual stream is FP32

    Raises
    ------
    advisor.base.errors.UsageError
        if tokens are missing or too many for the net, or it has no projections that
        adapters go to
    """
    net, origin = known.net, known.settings.origin
    read, written = _numbers(net, origin, tokens, target)
    trained = float(known.parameters)
    if rank is not None:
        trained = float(net.lora_parameters(rank))
        if not trained:
            raise UsageError(
                *(f"{origin}: ", Given("lora_rank"), ": it has no query and value "),
                "projections",
            )
    flops, how = _flops(known, read, written)
    count = _where(known)
    if known.active < known.parameters:
        count += f"; a token goes through {known.active / 1e6:,.0f} million of them"
    if net.encoder_decoder and not net.sound and target is None:
        how += "; as many tokens written as read, an assumption"
    kept = (
        f"formula on {origin} for {'autocast' if autocast else 'half precision'}: width "
        "and feed-forward blocks of each layer that a token goes through (Korthikanti et "
        "al., MLSys 2023; gates and experts as counted on Llama and Mixtral), and logits"
    )
    if known.settings.kind not in KNOWN:
        kept += "; that its layers keep as much as any of their widths is an assumption"
    kernels = "layers x kernels of a layer, counted on BERT-base and Llama 2 7B"
    if known.active < known.parameters:
        kernels += "; experts grouped, an assumption"
    sources = {
        "parameters_m": count,
        "forward_gflops_per_sample": how,
        "activation_mb_per_sample": kept,
        "kernels_per_step": kernels,
        "gpu_bytes_per_sample": "derived: 8 B an id, 4 B a number of image or sound",
    }
    text_alone = not net.image and not net.sound
    if text_alone:
        sources["disk_bytes_per_sample"] = "derived: 2 B a token"
    return Needs(
        parameters=float(known.parameters),
        trained=trained,
        forward_flops=flops,
        kept_bytes=net.kept_bytes(read, written, autocast=autocast),
        kernels=net.kernels,
        input_bytes=_input_bytes(net, read, written),
        disk_bytes=2.0 * (read + written) if text_alone else None,
        sample=_sample(net, read, written),
        sources=sources,
        tokens=float(read + written),
        embeddings=float(net.embeddings + net.output),
    )


def _numbers(
    net: Net, origin: str, tokens: int | None, target: int | None
) -> tuple[int, int]:
    """Return tokens read and written, of a sample.

    Raises
    ------
    advisor.base.errors.UsageError
        if they do not go with the net
    """
    if not net.text:
        return 0, 0
    if tokens is None:
        missing = " is missing: how many are in a sample?"
        raise UsageError(f"{origin}: ", Given("tokens"), missing)
    if target is not None and (not net.encoder_decoder or net.sound):
        why = ": it does not read one text and write another"
        raise UsageError(f"{origin}: ", Given("target_tokens"), why)
    if net.sound:
        read, written = 0, tokens
    else:
        written = (target or tokens) if net.encoder_decoder else 0
        read = tokens
    for number, limit in ((read, net.limit), (written, net.target_limit)):
        if limit is not None and number > limit:
            message = f"{origin}: {number:,} tokens: it has positions for {limit:,}"
            if net.sound:
                message += ", of text to write; its sound is always as long"
            raise UsageError(message)
    return read, written


def _flops(known: Known, read: int, written: int) -> tuple[float, str]:
    """Return FLOPs of a forward pass of a sample, and where they are from."""
    net, built = known.net, known.built
    # Where an image is among the words, a pass on words alone leaves it out.
    whole_pass = not (net.image and net.text and net.vocabulary)
    if built is not None and whole_pass:
        counted = library.forward_flops(built, read, written)
        if counted is not None:
            whole = net.forward_flops(read, written, whole=True)
            hidden = whole - net.forward_flops(read, written)
            causal = ", what the causal mask hides left out" if hidden else ""
            return counted - hidden, (
                f"counted by PyTorch on the meta device: {built.name} of transformers "
                f"{built.version}{causal}"
            )
    active = " active" if known.active < known.parameters else ""
    return net.forward_flops(read, written), (
        f"formula on {known.settings.origin}: 2 x{active} parameters x tokens, and "
        "attention"
    )


def _where(known: Known) -> str:
    """Return where the number of parameters is from."""
    if known.built is None:
        return f"formula on {known.settings.origin}: {known.net.name}"
    built = known.built
    return f"counted on the meta device: {built.name} of transformers {built.version}"


def _notes(
    settings: Settings, task: Task | None, net: Net, built: Built | None
) -> list[str]:
    """Return what people should know, a line each."""
    notes = []
    origin = settings.origin
    if "auto_map" in settings.values:
        notes.append(
            f"{origin} names code of its own (auto_map), which is not run: it is taken "
            f"for {settings.kind} as everybody knows it"
        )
    if settings.assumed:
        taken = ", ".join(f"{key} {value}" for key, value in settings.assumed.items())
        notes.append(
            f"{origin} does not state, and is taken as the library does: {taken}"
        )
    if task is None and stated_task(settings) == "masked-lm" and net.vocabulary:
        notes.append(
            "the head that guesses masked words is counted, as the file's "
            "'architectures' says; the task 'encoder' leaves it out"
        )
    if net.image and net.text and net.vocabulary:
        notes.append(
            f"a sample is taken to hold one image of {net.image}x{net.image} pixels, "
            "its tokens among those of the sample"
        )
    if built is not None and settings.kind in KNOWN:
        apart = net.parameters / built.parameters - 1.0
        if abs(apart) > _APART:
            notes.append(
                f"the formula has {apart:+.1%} parameters of what transformers "
                f"{built.version} counts, which is taken"
            )
    return notes


def _unknown(settings: Settings) -> str:
    """Return why nobody knows such a net, and what to do."""
    kind = settings.kind
    other = "count it with 'advisor workloads measure', or write 'advisor workloads new'"
    if "auto_map" in settings.values:
        return (
            f"{settings.origin}: model_type {kind!r} needs code of its own (auto_map), "
            f"which is never run: {other}"
        )
    if library.installed():
        return (
            f"{settings.origin}: model_type {kind!r} is known neither by formula nor to "
            f"the transformers that is installed: {other}"
        )
    return (
        f"{settings.origin}: model_type {kind!r} is not known by formula: install "
        f"transformers and torch (the extra 'hf'), which know many more, or {other}"
    )


def _input_bytes(net: Net, read: int, written: int) -> float:
    """Return bytes of a sample as it is delivered to the GPU."""
    text = 24.0 * read + 16.0 * written  # ids, mask, labels; what is written has no mask
    return text + 4.0 * (3.0 * net.image**2 + net.sound)


def _sample(net: Net, read: int, written: int) -> str:
    """Return what a sample is, for people."""
    if net.sound:
        frames = max(stack.fixed for stack in net.stacks) * 2
        return f"{frames / _FRAMES_S:g} s of sound and {written:,} tokens"
    if net.image and not net.text:
        return f"image {net.image}x{net.image}"
    if net.image:
        return f"image {net.image}x{net.image} and {read:,} tokens"
    if net.encoder_decoder:
        return f"{read:,} tokens read and {written:,} written"
    return f"sequence of {read:,} tokens"
