"""What the library `transformers` itself says of a configuration, on the meta device.

The net is built without weights: no memory, no download, and never code from the hub.
Parameters are exact; operations are what PyTorch's own counter sees in a forward pass
(`torch.utils.flop_counter.FlopCounterMode`), where the pass runs without values. Both
libraries are an extra of their own, imported when a configuration is asked about.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import sys
import time
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from advisor.base.errors import AdvisorError, UsageError
from advisor.workloads.hf.families import Task
from advisor.workloads.hf.settings import (
    HEADS,
    HIDDEN,
    INNER,
    KEY_VALUE_HEADS,
    LAYERS,
    VOCABULARY,
    Settings,
)

PATIENCE_S = 20.0
"""Seconds that a pass on the meta device may take; nets that loop over tokens do not end
in that time, and their operations are had otherwise."""

_LEFT_OUT = frozenset(
    {
        *("auto_map", "quantization_config", "torch_dtype", "dtype", "architectures"),
        *("_name_or_path", "name_or_path", "_attn_implementation", "model_type"),
        *("attn_implementation", "_attn_implementation_internal", "transformers_version"),
        *("use_pretrained_backbone", "_commit_hash", "_experts_implementation"),
    }
)
"""Keys that say where weights and code lie, or how they run: not what the net is."""

_AUTO: Mapping[Task, str] = {
    "causal-lm": "CAUSAL_LM",
    "masked-lm": "MASKED_LM",
    "seq2seq": "SEQ_TO_SEQ_CAUSAL_LM",
    "image-classification": "IMAGE_CLASSIFICATION",
    "encoder": "",
}

_TRIED = (
    "SEQ_TO_SEQ_CAUSAL_LM", "SPEECH_SEQ_2_SEQ", "IMAGE_TEXT_TO_TEXT", "CAUSAL_LM", "",
)  # fmt: skip
"""Kinds of class in the order in which they are tried where no task is said."""

_SIZES = frozenset((*HIDDEN, *LAYERS, *HEADS, *KEY_VALUE_HEADS, *INNER, *VOCABULARY))
"""Keys of sizes that the library would believe, whatever they are."""

_SENT = ("num_experts_per_tok", "num_experts_per_token", "moe_topk", "top_k_experts")


@dataclass(frozen=True, slots=True)
class Built:
    """A net as the library builds it.

    Attributes
    ----------
    model : of PyTorch, on the meta device
    config : the library's own
    version : of the library
    parameters : all of them, exact
    active : all but those of experts that a token is not sent to; None: how many experts
        that are is not said
    """

    model: Any
    config: Any
    version: str
    parameters: int
    active: int | None

    @property
    def name(self) -> str:
        """The class, such as ``"LlamaForCausalLM"``."""
        return type(self.model).__name__


def installed() -> bool:
    """Return whether both libraries are."""
    return all(importlib.util.find_spec(one) for one in ("torch", "transformers"))


def knows(kind: str) -> bool:
    """Return whether the library has a net of a type.

    Raises
    ------
    advisor.base.errors.AdvisorError
        if the library cannot be imported
    """
    try:
        with _quiet():
            from transformers.models.auto.configuration_auto import (  # noqa: PLC0415
                CONFIG_MAPPING_NAMES,
            )
    except Exception as error:  # of whatever lies in its way
        message = (
            "transformers is installed and cannot be imported; repair it or remove it: "
            f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        )
        raise AdvisorError(message) from error
    return kind in CONFIG_MAPPING_NAMES


def build(settings: Settings, task: Task | None) -> Built:
    """Build the net of a configuration, on the meta device.

    Parameters
    ----------
    settings : the configuration, of a type that the library knows
    task : what it is trained for; None: what the file states, else what is usual

    Raises
    ------
    advisor.base.errors.UsageError
        if the library refuses the configuration, or has no class for the task
    """
    _check_sizes(_cleaned(settings.values), settings)
    with _quiet():
        import torch  # noqa: PLC0415
        import transformers  # noqa: PLC0415

        try:
            config = transformers.AutoConfig.for_model(
                settings.kind, **_cleaned(settings.values)
            )
            kind = _class(transformers, settings, config, task)
            # Experts as products of batches run without values; their number is the same.
            config._experts_implementation = "batched_mm"  # noqa: SLF001
            with torch.device("meta"):
                model = kind._from_config(config, attn_implementation="eager").eval()  # noqa: SLF001
                model.tie_weights()  # old ones leave that out on the meta device
        except UsageError:
            raise
        except Exception as error:  # a library may raise anything
            words = " ".join(str(error).split())[:300]
            message = (
                f"{settings.origin}: transformers {transformers.__version__} refuses it: "
                f"{type(error).__name__}: {words}"
            )
            raise UsageError(message) from error
    untied = _head_of_its_own(model, settings)
    return Built(
        model,
        config,
        str(transformers.__version__),
        sum(one.numel() for one in model.parameters()) + untied,
        _active(model, config, untied, settings),
    )


def forward_flops(built: Built, tokens: int, target: int) -> float | None:
    """Return FLOPs of a forward pass of one sample, as PyTorch counts them.

    Parameters
    ----------
    built : the net
    tokens, target : of a sample, and of what it is to predict

    Returns
    -------
    FLOPs, of what a causal mask hides too; None where the pass does not run without
    values, or takes too long
    """
    with _quiet():
        few = _passed(built, tokens, target, 1)
        more = None if few is None else _passed(built, tokens, target, 2)
    # What is done once per batch, whatever its size, is no sample's.
    return None if few is None or more is None or more <= few else more - few


def _passed(built: Built, tokens: int, target: int, number: int) -> float | None:
    """Return FLOPs of a forward pass of a number of samples."""
    import torch  # noqa: PLC0415
    from torch.utils.flop_counter import FlopCounterMode  # noqa: PLC0415

    for inputs in _inputs(torch, built, tokens, target, number):
        counter = FlopCounterMode(display=False)
        try:
            with torch.no_grad(), torch.device("meta"), _limit(), counter:
                built.model(**inputs)
        except Exception:  # noqa: S112  (None says that it cannot run)
            continue
        return float(counter.get_total_flops())
    return None


def _inputs(
    torch: Any, built: Built, tokens: int, target: int, number: int
) -> Iterator[dict[str, Any]]:
    """Yield inputs that a model may take, with and without a mask; none of a sound's."""
    model, config = built.model, built.config
    main = model.main_input_name
    words = {"dtype": torch.long, "device": "meta"}
    given: dict[str, Any] = {}
    if main == "pixel_values":
        given["pixel_values"] = _image(torch, config, number)
    elif main == "input_ids":
        given["input_ids"] = torch.zeros(number, tokens, **words)
        looks = getattr(config, "vision_config", None)
        if looks is not None and model.get_output_embeddings() is None:
            given["pixel_values"] = _image(torch, looks, number)  # compared with the text
    elif main == "input_features" and hasattr(config, "max_source_positions"):
        shape = (number, config.num_mel_bins, 2 * config.max_source_positions)
        given["input_features"] = torch.empty(shape, device="meta")
    else:
        return
    if getattr(config, "is_encoder_decoder", False):
        given["decoder_input_ids"] = torch.zeros(number, target, **words)
    if main == "input_ids":
        yield {**given, "attention_mask": torch.ones(number, tokens, **words)}
    yield given


def _image(torch: Any, config: Any, number: int) -> Any:
    """Return images of the size that a configuration states."""
    image = getattr(config, "image_size", 224)
    high, wide = image if isinstance(image, (list, tuple)) else (image, image)
    colors = getattr(config, "num_channels", 3)
    return torch.empty(number, colors, high, wide, device="meta")


def _limit() -> Any:
    """Return what ends a pass that takes too long."""
    from torch.utils._python_dispatch import TorchDispatchMode  # noqa: PLC0415

    deadline = time.monotonic() + PATIENCE_S

    class Limit(TorchDispatchMode):  # type: ignore[misc]
        def __torch_dispatch__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            if time.monotonic() > deadline:
                raise TimeoutError
            return func(*args, **(kwargs or {}))

    return Limit()


def _class(transformers: Any, settings: Settings, config: Any, task: Task | None) -> Any:
    """Return the class of a configuration's net.

    Raises
    ------
    advisor.base.errors.UsageError
        if there is none for the task
    """
    from transformers.models.auto import modeling_auto  # noqa: PLC0415

    if task is None:
        for name in settings.texts("architectures")[:1]:
            named = getattr(transformers, name, None)
            if getattr(named, "config_class", None) is type(config):
                return named
    known = config.model_type
    tried = _TRIED if task is None else (_AUTO[task],)
    masked = known in modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES
    for one in tried:
        # An encoder can be made to predict the next word too; nobody means that.
        if one == "CAUSAL_LM" and masked and task is None:
            continue
        table = f"MODEL_FOR_{one}_MAPPING_NAMES" if one else "MODEL_MAPPING_NAMES"
        found = getattr(modeling_auto, table, {}).get(known)
        named = found[0] if isinstance(found, (list, tuple)) else found
        if named and hasattr(transformers, named):
            return getattr(transformers, named)
    message = (
        f"{settings.origin}: transformers {transformers.__version__} has no class of "
        f"{known}" + (f" for the task {task}" if task else "")
    )
    raise UsageError(message)


def _head_of_its_own(model: Any, settings: Settings) -> int:
    """Return parameters of a head that the file says is not the embedding.

    The library ties those of T5 where it builds from a configuration, and finds that they
    are two where it loads weights that have both (seen with transformers 5.24).
    """
    if settings.values.get("tie_word_embeddings") is not False:
        return 0
    try:
        words, head = model.get_input_embeddings(), model.get_output_embeddings()
    except (AttributeError, NotImplementedError):
        return 0
    if words is None or head is None or head.weight is not words.weight:
        return 0
    return int(head.weight.numel())


def _active(model: Any, config: Any, untied: int, settings: Settings) -> int | None:
    """Return parameters that a token is multiplied with or looked up in.

    Raises
    ------
    advisor.base.errors.UsageError
        if a token goes to more experts than there are
    """
    text = config.get_text_config() if hasattr(config, "get_text_config") else config
    sent = next((n for key in _SENT if (n := getattr(text, key, None))), None)
    groups: dict[str, dict[str, int]] = {}
    whole = untied
    idle = 0.0
    for name, one in model.named_parameters():
        whole += one.numel()
        before, inside, rest = name.partition(".experts.")
        if not inside:
            continue
        if sent is None:
            return None
        index = re.match(r"(\d+)\.", rest)
        if index is None:
            idle += one.numel() * _share_idle(sent, one.shape[0], settings)
        else:
            at = groups.setdefault(before, {})
            at[index[1]] = at.get(index[1], 0) + one.numel()
    for each in groups.values():
        idle += sum(each.values()) * _share_idle(sent or 0, len(each), settings)
    return round(whole - idle)


def _share_idle(sent: int, number: int, settings: Settings) -> float:
    """Return the share of experts that a token is not sent to."""
    if not 1 <= sent <= number:
        settings.refuse("num_experts_per_tok", f"1 to the {number} experts")
    return 1.0 - sent / number


def _cleaned(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration without what is no part of the net, at any depth."""
    return {key: _part(value) for key, value in values.items() if key not in _LEFT_OUT}


def _part(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    kind = {"model_type": value["model_type"]} if "model_type" in value else {}
    return kind | _cleaned(value)


def _check_sizes(values: Mapping[str, Any], settings: Settings) -> None:
    """Refuse sizes that no net has, at any depth, before anything is built.

    Raises
    ------
    advisor.base.errors.UsageError
        if one is no whole number above zero, or too large
    """
    for key, value in values.items():
        if isinstance(value, dict):
            inner = Settings(value, settings.origin, f"{settings.place}{key}.")
            _check_sizes(value, inner)
        elif key in _SIZES and value is not None and not isinstance(value, list):
            Settings(values, settings.origin, settings.place).size(key)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the library off the network, and what it says out of the result."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    with warnings.catch_warnings(), contextlib.redirect_stdout(sys.stderr):
        warnings.simplefilter("ignore")
        yield
