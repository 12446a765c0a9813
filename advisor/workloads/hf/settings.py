"""A ``config.json``, read with care: sizes are whole numbers, switches true or false."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from advisor.base.errors import UsageError
from advisor.workloads.load import read_text

LARGEST = 10**7
"""No size of a net is larger: the largest are vocabularies of a million words."""

MOST_LAYERS = 2_000
"""No net has more layers; what is built of them stays small."""

HIDDEN = ("hidden_size", "n_embd", "d_model", "dim", "n_embed")
LAYERS = ("num_hidden_layers", "n_layer", "n_layers", "num_layers")
HEADS = ("num_attention_heads", "n_head", "n_heads", "num_heads")
KEY_VALUE_HEADS = ("num_key_value_heads", "num_kv_heads", "multi_query_group_num")
INNER = ("intermediate_size", "n_inner", "ffn_dim", "d_ff", "hidden_dim")
VOCABULARY = ("vocab_size", "padded_vocab_size")
POSITIONS = ("max_position_embeddings", "n_positions")
"""Names of the same size in configurations of different families."""


def read_config(path: Path) -> dict[str, Any]:
    """Return the object of a JSON file.

    Raises
    ------
    advisor.base.errors.UsageError
        if it is not valid JSON, no object, or has NaN or an infinity in it
    """
    try:
        document = json.loads(read_text(path), parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        message = f"{path}: not valid JSON: {error}"
        raise UsageError(message) from error
    if not isinstance(document, dict):
        message = f"{path}: a JSON object is expected, a config.json of a net"
        raise UsageError(message)
    return document


def _no_number(text: str) -> NoReturn:
    message = f"{text} is no number"
    raise ValueError(message)


@dataclass(frozen=True, slots=True)
class Settings:
    """A configuration, or one inside another.

    Attributes
    ----------
    values : key -> value
    origin : file that it is from, for people
    place : where in the file, such as ``"text_config."``
    assumed : what the file does not state and is taken as the library does, in order;
        all parts of a file fill the same
    """

    values: Mapping[str, Any]
    origin: str
    place: str = ""
    assumed: dict[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """The type of the model, such as ``"llama"``; ``""`` where none is stated."""
        kind = self.values.get("model_type", "")
        return kind if isinstance(kind, str) else self.refuse("model_type", "a text")

    def size(self, *keys: str, usual: int | None = None, least: int = 1) -> int:
        """Return a size under the first of its names that is there.

        Parameters
        ----------
        keys : its names
        usual : what the library takes where there is none; None: it is needed
        least : the smallest that can be

        Raises
        ------
        advisor.base.errors.UsageError
            if it is missing or cannot be right
        """
        most = MOST_LAYERS if keys[0] in LAYERS else LARGEST
        for key in keys:
            value = self.values.get(key)
            if value is None:
                continue
            if type(value) is not int or not least <= value <= most:
                self.refuse(key, f"a whole number of {least} to {most:,}")
            return value
        if usual is None:
            message = f"{self.origin}: missing: {self.place}{' or '.join(keys)}"
            raise UsageError(message)
        self._assume(keys[0], usual)
        return usual

    def core(self, keys: tuple[str, ...], usual: int | None) -> int:
        """Return a size without which there is no net.

        Inside another configuration, which the library writes without what is usual, it
        may be missing.
        """
        return self.size(*keys, usual=usual if self.place else None)

    def flag(self, key: str, *, usual: bool) -> bool:
        """Return whether a switch is on."""
        value = self.values.get(key)
        if value is None:
            self._assume(key, usual)
            return usual
        return value if type(value) is bool else self.refuse(key, "true or false")

    def text(self, key: str, usual: str) -> str:
        """Return a text."""
        value = self.values.get(key)
        if value is None:
            self._assume(key, usual)
            return usual
        return value if isinstance(value, str) else self.refuse(key, "a text")

    def number(self, key: str, usual: float) -> float:
        """Return a number above zero, such as the ratio of two sizes."""
        value = self.values.get(key)
        if value is None:
            self._assume(key, usual)
            return usual
        if type(value) not in {int, float} or not 0.0 < value < LARGEST:
            self.refuse(key, "a number above 0")
        return float(value)

    def texts(self, key: str) -> list[str]:
        """Return a list of texts; none where it is missing.

        ``"c2p|p2c"`` is a list too, as old files write it.
        """
        value = self.values.get(key)
        if value is None:
            return []
        if isinstance(value, str):
            return value.split("|")
        if isinstance(value, list) and all(isinstance(one, str) for one in value):
            return value
        return self.refuse(key, "a list of texts")

    def numbers(self, key: str) -> list[int]:
        """Return a list of whole numbers; none where it is missing."""
        value = self.values.get(key)
        if value is None:
            return []
        if isinstance(value, list) and all(type(one) is int for one in value):
            return value
        return self.refuse(key, "a list of whole numbers")

    def inside(self, key: str, kind: str = "") -> Settings:
        """Return the configuration under a key, of a kind unless it states one.

        Raises
        ------
        advisor.base.errors.UsageError
            if it is missing or no object
        """
        value = self.values.get(key)
        if not isinstance(value, dict):
            self.refuse(key, "an object, the configuration of a part")
        place = f"{self.place}{key}."
        return Settings({"model_type": kind} | value, self.origin, place, self.assumed)

    def refuse(self, key: str, expected: str) -> NoReturn:
        """Say what is expected under a key.

        Raises
        ------
        advisor.base.errors.UsageError
            always
        """
        message = f"{self.origin}: {self.place}{key}: {expected} is expected"
        raise UsageError(message)

    def _assume(self, key: str, usual: Any) -> None:
        self.assumed[self.place + key] = usual
