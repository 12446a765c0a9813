"""The outline of a net that the library alone knows, for what is had by formula.

Layers and widths are read from the library's own configuration, whatever they are called
in the file. Parameters and operations are better counted; memory and kernels of a step
follow from the outline.
"""

from __future__ import annotations

from typing import Any

from advisor.base.errors import UsageError
from advisor.workloads.hf.library import Built
from advisor.workloads.hf.multimodal import ANY_IMAGE
from advisor.workloads.hf.net import Layer, Net, Stack
from advisor.workloads.hf.settings import Settings

_CAUSAL = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")
"""Ends of the names of classes whose tokens see those before them alone."""

_PROJECTIONS = frozenset(
    {"q_proj", "v_proj", "query", "value", "q_lin", "v_lin", "query_key_value"}
    | {"c_attn", "qkv_proj", "Wqkv", "qkv", "query_proj", "value_proj"}
)
"""Names of the projections that adapters go to."""


def outline(settings: Settings, built: Built) -> Net:
    """Return the outline of a net that was built.

    Raises
    ------
    advisor.base.errors.UsageError
        if its configuration has no layers of one width, as a transformer's has
    """
    config = built.config
    text = config.get_text_config()
    layers, hidden = _size(text, "num_hidden_layers"), _size(text, "hidden_size")
    looks = getattr(config, "vision_config", None)
    image, patches = _image(config if looks is None else looks)
    sees = built.model.main_input_name == "pixel_values"
    reads = built.model.main_input_name == "input_ids"
    other = (
        getattr(config, "is_encoder_decoder", False)
        or hasattr(config, "audio_config")
        or hasattr(config, "depths")  # stages, each of a width of its own
    )
    if layers is None or hidden is None or other or not (reads or (sees and patches)):
        message = (
            f"{settings.origin}: {built.name} has {built.parameters / 1e6:,.1f} million "
            "parameters, but what its steps keep in memory is not known by formula: "
            "count it with 'advisor workloads measure'"
        )
        raise UsageError(message)
    if built.active is None:
        message = f"{settings.origin}: missing: num_experts_per_tok"
        raise UsageError(message)
    sent = _size(text, "num_experts_per_tok")
    inner = _size(text, "intermediate_size") or 4 * hidden
    expert = (_size(text, "moe_intermediate_size") or inner) * (sent or 0)
    gated = any("gate_" in name for name, _ in built.model.named_parameters())
    heads = _size(text, "num_attention_heads") or 0
    wide = (_size(text, "head_dim") or hidden // heads) * heads if heads else 0
    output = _output(built)
    words = (_size(text, "vocab_size") or 0) if output else 0
    looked_up = _looked_up(built)
    matrices = max(built.active - looked_up - (0 if _tied(built) else output), 0)
    layer = Layer(
        matrices=matrices // layers,
        idle=(built.parameters - built.active) // layers,
        scored=2 * wide,
        inner=0 if gated or sent else inner,
        gated_inner=inner if gated and not sent else 0,
        expert_inner=expert,
        experts=sent or 0,
        adapted=_adapted(built) // layers,
    )
    stack = Stack(
        ((layer, layers),),
        hidden,
        passed="fixed" if sees else "tokens",
        fixed=patches,
        causal=words > 0 and built.name.endswith(_CAUSAL),
    )
    return Net(
        name=built.name,
        stacks=(stack,),
        embeddings=looked_up,
        tied=output,
        vocabulary=words,
        image=image if sees or looks is not None else 0,
    )


def _image(config: Any) -> tuple[int, int]:
    """Return pixels at the edge of an image, and how many patches it is."""
    image = _size(config, "image_size") or ANY_IMAGE
    patch = _size(config, "patch_size")
    return image, 0 if patch is None else (image // patch) ** 2


def _size(config: Any, key: str) -> int | None:
    """Return a size of a configuration, under the library's name for it."""
    value = getattr(config, key, None)
    return value if type(value) is int and value > 0 else None


def _looked_up(built: Built) -> int:
    """Return parameters of embeddings, of words and of positions."""
    from torch.nn import Embedding  # noqa: PLC0415

    found = [each for each in built.model.modules() if isinstance(each, Embedding)]
    return sum(int(each.weight.numel()) for each in found)


def _output(built: Built) -> int:
    """Return parameters of the matrix that compares tokens with words."""
    head = _head(built)
    return 0 if head is None else int(head.weight.numel())


def _tied(built: Built) -> bool:
    """Return whether that matrix is the embedding's."""
    head = _head(built)
    words = built.model.get_input_embeddings()
    return head is not None and head.weight is words.weight


def _head(built: Built) -> Any:
    try:
        return built.model.get_output_embeddings()
    except (AttributeError, NotImplementedError):
        return None


def _adapted(built: Built) -> int:
    """Return inputs and outputs of all projections that adapters go to."""
    return sum(
        sum(module.weight.shape)
        for name, module in built.model.named_modules()
        if name.rpartition(".")[2] in _PROJECTIONS and hasattr(module, "weight")
    )
