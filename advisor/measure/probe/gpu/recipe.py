"""What is to be trained and how; known where PyTorch is not loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

_TENSOR_CORES_SINCE, _BF16_SINCE = 7.0, 8.0
"""Compute capability (NVIDIA, "CUDA C++ Programming Guide"); torch.compile's code runs
since the first, too (Triton)."""


class Recipe(NamedTuple):
    """How a profile is trained.

    Attributes
    ----------
    profile : built-in
    precision : ``fp32``, ``tf32``, or under autocast ``amp`` (FP16 with a loss scaler),
        ``fp16`` (without one), ``bf16``
    compiled : by torch.compile
    channels_last : memory format of images
    is_tiny : narrow, with small samples, for a look at the program
    """

    profile: str
    precision: str
    compiled: bool = False
    channels_last: bool = True
    is_tiny: bool = False

    @property
    def line(self) -> str:
        """What lines call it."""
        how = "compiled" if self.compiled else "eager"
        return f"train.{self.profile}.{self.precision}.{how}"


class Feed(NamedTuple):
    """Where batches come from.

    Attributes
    ----------
    pictures : paths of JPEG files, read again and again
    workers : processes of the DataLoader
    batch : samples per step
    library : that decodes, one of `decoders`
    """

    pictures: Sequence[str]
    workers: int
    batch: int = 128
    library: str = "pillow"


def usual_recipes(capability: float) -> list[Recipe]:
    """Return how the profiles are trained on a GPU, in the order of their worth.

    Parameters
    ----------
    capability : compute capability
    """
    half = "amp" if capability >= _TENSOR_CORES_SINCE else "fp32"
    brain = "bf16" if capability >= _BF16_SINCE else half
    recipes = [
        Recipe("resnet18", half),
        Recipe("resnet50", half),
        Recipe("gpt2-124m", brain),
        Recipe("vit-b16", half),
        Recipe("bert-base", half),
    ]
    if capability >= _TENSOR_CORES_SINCE:
        recipes.append(Recipe("gpt2-124m", brain, compiled=True))
    return recipes
