"""A net as what its layers need, and what follows from it for a training.

A net is stacks of layers. A token goes through the active matrices of every layer of its
stack, is compared with the tokens that it attends to, and at the end of the net with
every word of a vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Literal, Self

Passed = Literal["tokens", "target", "fixed"]
"""Tokens that go through a stack: those of a sample, those that it is to predict, or a
number of the net's own (patches of an image, frames of a sound)."""

AUTOCAST_SCALE = 43.0 / 34.0
"""Activations under autocast over those in half precision, the residual stream in FP32:
151 MB counted on BERT-base at 384 tokens, over 12 x 384 x 768 are 43 B for 34."""

PLAIN_BYTES, PLAIN_INNER_BYTES = 18.0, 4.0
"""Bytes that a layer keeps for each width of a token, and for each width of its
feed-forward block, in half precision, attention fused: 34 s b h where that block is four
times as wide (Korthikanti et al., MLSys 2023)."""

GATED_BYTES, GATED_INNER_BYTES = 12.5, 8.0
"""The same with a gate, whose four tensors are stored (8 B more per width counted on
layers of Llama in transformers 5.24, at 2.7 and 4 times the width). Of Llama 2 7B 34 B
per width were counted: 72 MB per layer at 512 tokens."""

EXPERT_BYTES = 4.0
"""Bytes that an expert keeps for each width of a token sent to it, its feed-forward block
left out: what is gathered and what is scattered (counted on Mixtral layers of
transformers 5.24, grouped products)."""

EXPERT_AUTOCAST_SCALE = 2.0
"""What experts keep under autocast over half precision (counted on the same)."""

CROSS_BYTES = 13.0
"""Bytes of a further attention, on another stack: 11 s b h and its norm's 2 s b h
(Korthikanti et al., MLSys 2023)."""

LOGIT_BYTES = 5.0
"""Bytes that a token keeps for each word of the vocabulary: 655 MB counted on GPT-2 124M
at 1,024 tokens, less what its layers keep, over 1,024 x 50,257."""

KERNELS = 92.0
"""Kernels of one layer in a training step: 1,100 counted on BERT-base."""

GATED_KERNELS = 127.0
"""The same with rotary positions and a gate: 5,400 counted on Llama 2 7B, less what
gradient checkpointing runs again."""

CROSS_KERNELS = 40.0
"""Kernels of a further attention: an assumption, its share of a layer's."""


@dataclass(frozen=True, slots=True)
class Layer:
    """What one layer has, or a part of one; parts add up.

    Attributes
    ----------
    matrices : parameters that a token is multiplied with
    idle : parameters of experts that the token is not sent to
    memory_matrices : parameters that a token of another stack is multiplied with, of
        keys and values
    vectors : parameters of biases and norms
    scored : numbers that a pair of tokens is compared by, and weighted
    cross_scored : the same with a token of another stack
    inner, gated_inner, expert_inner : width of feed-forward blocks that a token goes
        through: plain, with a gate, of experts (with a gate)
    experts : that a token is sent to
    adapted : inputs and outputs of the projections of queries and values
    """

    matrices: int = 0
    idle: int = 0
    memory_matrices: int = 0
    vectors: int = 0
    scored: int = 0
    cross_scored: int = 0
    inner: int = 0
    gated_inner: int = 0
    expert_inner: int = 0
    experts: int = 0
    adapted: int = 0

    def __add__(self, other: Self) -> Layer:
        return Layer(
            *(getattr(self, one.name) + getattr(other, one.name) for one in fields(self))
        )

    @property
    def parameters(self) -> int:
        """All parameters."""
        return self.matrices + self.idle + self.memory_matrices + self.vectors

    def kept_bytes(self, hidden: int, *, autocast: bool) -> float:
        """Return what a token keeps from forward to backward, checkpointing left out."""
        gated = self.gated_inner + self.expert_inner > 0
        plain = (GATED_BYTES if gated else PLAIN_BYTES) * hidden
        plain += PLAIN_INNER_BYTES * self.inner + GATED_INNER_BYTES * self.gated_inner
        plain += CROSS_BYTES * hidden if self.cross_scored else 0.0
        sent = EXPERT_BYTES * hidden * self.experts
        sent += GATED_INNER_BYTES * self.expert_inner
        if not autocast:
            return plain + sent
        return AUTOCAST_SCALE * plain + EXPERT_AUTOCAST_SCALE * sent

    @property
    def kernels(self) -> float:
        """Kernels that a step launches; experts run grouped, an assumption."""
        gated = self.gated_inner + self.expert_inner > 0
        cross = CROSS_KERNELS if self.cross_scored else 0.0
        return (GATED_KERNELS if gated else KERNELS) + cross


@dataclass(frozen=True, slots=True)
class Stack:
    """Layers that the same tokens go through.

    Attributes
    ----------
    layers : kind of layer -> how many of them are run
    hidden : width
    passed : which tokens
    fixed : how many where it is the net's own number
    causal : a token sees those before it alone
    copies : sets of parameters held; None: one for each layer
    adapted : adapters go to it
    memory : tokens of another stack that it attends to
    memory_fixed : how many where it is the net's own number
    """

    layers: tuple[tuple[Layer, int], ...]
    hidden: int
    passed: Passed = "tokens"
    fixed: int = 0
    causal: bool = False
    copies: int | None = None
    adapted: bool = True
    memory: Passed = "tokens"
    memory_fixed: int = 0

    def number(self, tokens: int, target: int) -> int:
        """Return how many tokens go through it."""
        return {"tokens": tokens, "target": target, "fixed": self.fixed}[self.passed]

    def memory_number(self, tokens: int, target: int) -> int:
        """Return how many tokens of another stack it attends to."""
        return {"tokens": tokens, "target": target, "fixed": self.memory_fixed}[
            self.memory
        ]

    @property
    def parameters(self) -> int:
        """All parameters that are held."""
        if self.copies is not None:
            return sum(layer.parameters * self.copies for layer, _ in self.layers)
        return sum(layer.parameters * number for layer, number in self.layers)

    @property
    def idle(self) -> int:
        """Parameters of experts that a token is not sent to."""
        return sum(layer.idle * number for layer, number in self.layers)

    def forward_flops(self, tokens: int, target: int, *, whole: bool = False) -> float:
        """Return FLOPs of a forward pass: 2 a parameter and token, and attention's.

        Parameters
        ----------
        tokens, target : of a sample
        whole : count what a causal mask hides, as a counter of operations does
        """
        passed = self.number(tokens, target)
        memory = self.memory_number(tokens, target)
        seen = passed / 2.0 if self.causal and not whole else float(passed)
        flops = 0.0
        for layer, number in self.layers:
            each = layer.matrices + layer.scored * seen + layer.cross_scored * memory
            flops += 2.0 * number * (each * passed + layer.memory_matrices * memory)
        return flops

    def kept_bytes(self, tokens: int, target: int, *, autocast: bool) -> float:
        """Return what a sample keeps from forward to backward."""
        each = sum(
            number * layer.kept_bytes(self.hidden, autocast=autocast)
            for layer, number in self.layers
        )
        return each * self.number(tokens, target)


@dataclass(frozen=True, slots=True)
class Net:
    """A whole net.

    Attributes
    ----------
    name : such as ``"llama, causal language model"``
    stacks : of layers
    embeddings : parameters that are looked up, or added as they are
    head_matrices : parameters outside of layers that multiply every token
    output : parameters of the matrix that compares tokens with words, of its own
    tied : the same where it is the embedding
    head_vectors : other parameters: last norms, biases, what sees one token of a sample
    vocabulary : words that each token is compared with; 0: none
    head_tokens : tokens that the head sees
    fixed_flops : of parts that are no layers, such as convolutions on the input
    limit : tokens that there are positions for; None: as many as wanted
    target_limit : the same of those to predict
    image : pixels at each edge; 0: it sees none
    sound : numbers of a sound; 0: it hears none
    """

    name: str
    stacks: tuple[Stack, ...]
    embeddings: int = 0
    head_matrices: int = 0
    output: int = 0
    tied: int = 0
    head_vectors: int = 0
    vocabulary: int = 0
    head_tokens: Passed = "tokens"
    fixed_flops: float = 0.0
    limit: int | None = None
    target_limit: int | None = None
    image: int = 0
    sound: int = 0

    @property
    def parameters(self) -> int:
        """All parameters that are held."""
        held = sum(stack.parameters for stack in self.stacks)
        around = self.embeddings + self.head_matrices + self.output + self.head_vectors
        return held + around

    @property
    def active_parameters(self) -> int:
        """All but those of experts that a token is not sent to."""
        return self.parameters - sum(stack.idle for stack in self.stacks)

    @property
    def causal(self) -> bool:
        """Whether it predicts the next token from those before."""
        return any(stack.causal for stack in self.stacks) and self.vocabulary > 0

    def without_output(self) -> Net:
        """Return the same without the matrix that compares tokens with words."""
        name = f"{self.name.partition(',')[0]}, without a head"
        return replace(self, name=name, output=0, tied=0, vocabulary=0)

    @property
    def text(self) -> bool:
        """Whether tokens go in that the user has the number of."""
        return any(stack.passed != "fixed" for stack in self.stacks)

    @property
    def encoder_decoder(self) -> bool:
        """Whether it has tokens to predict beside those that it reads."""
        return any(stack.passed == "target" for stack in self.stacks)

    def forward_flops(self, tokens: int, target: int, *, whole: bool = False) -> float:
        """Return FLOPs of a forward pass; parameters as in `Stack.forward_flops`."""
        seen = target if self.head_tokens == "target" else tokens
        layers = sum(
            stack.forward_flops(tokens, target, whole=whole) for stack in self.stacks
        )
        around = self.head_matrices + self.output + self.tied
        return layers + 2.0 * around * seen + self.fixed_flops

    def kept_bytes(self, tokens: int, target: int, *, autocast: bool) -> float:
        """Return what a sample keeps from forward to backward, attention fused."""
        seen = target if self.head_tokens == "target" else tokens
        layers = sum(
            stack.kept_bytes(tokens, target, autocast=autocast) for stack in self.stacks
        )
        return layers + LOGIT_BYTES * self.vocabulary * seen

    @property
    def kernels(self) -> float:
        """Kernels that a training step launches."""
        return sum(
            layer.kernels * number
            for stack in self.stacks
            for layer, number in stack.layers
        )

    def lora_parameters(self, rank: int) -> int:
        """Return parameters of adapters on the query and value projections.

        Those of stacks that adapters go to; 0 where there are none.
        """
        return sum(
            rank * layer.adapted * (number if stack.copies is None else stack.copies)
            for stack in self.stacks
            if stack.adapted
            for layer, number in stack.layers
        )
