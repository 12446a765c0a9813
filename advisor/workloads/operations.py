"""Floating-point operations of what PyTorch dispatches, by formula.

PyTorch has formulas for matrix products, convolutions and fused attention on GPUs
(`torch.utils.flop_counter`), and takes what it does not know for nothing. Here are those
for what else multiplies matrices. Whatever could and has no formula is named, so that it
can be refused: see `unknown`.

The hooks of `advisor profile` read this file inside the user's training: it imports
nothing of advisor, and Python 3.8 runs it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Callable, NamedTuple  # noqa: UP035  (the other is of 3.9)

Formula = Callable[[Any, Any], float]
"""Operations from an operator's arguments and its result."""

_VIEWS = frozenset(
    {
        *("view", "reshape", "_unsafe_view", "t", "transpose", "permute", "expand"),
        *("slice", "select", "unsqueeze", "squeeze", "detach", "alias", "as_strided"),
        *("split", "split_with_sizes", "chunk", "unbind", "empty", "empty_strided"),
    }
)
"""Operators that launch no kernel."""

_SEVERAL = {
    # Gradients of weights and of inputs.
    "convolution_backward": 2,
    # Gradients of inputs, and of weights in two stages.
    "native_layer_norm_backward": 3,
    # Row sums, the gradients of keys and values, those of queries.
    "_scaled_dot_product_flash_attention_for_cpu_backward": 3,
}
"""Kernels of an operator on a GPU where it is more than one."""

_KERNELS_OF_A_TIME_STEP = 2
"""Of a layer of an RNN: the product with the state, and all that is pointwise fused.

Source: J. Appleyard, T. Kocisky and P. Blunsom, "Optimizing performance of recurrent
neural networks on GPUs", arXiv 1604.01946 (2016), as in cuDNN.
"""

GATES = {"lstm": 4, "gru": 3, "rnn_tanh": 1, "rnn_relu": 1}
"""RNNs by the function that runs all of their time steps: how many gates they have."""

_MULTIPLIES = frozenset(
    {
        *("addr", "attention", "bilinear", "cdist", "cholesky", "det", "dot", "eig"),
        *("eigh", "eigvals", "fft", "ger", "gru", "householder", "linalg", "linear"),
        *("lstm", "lstsq", "lu", "matmul", "mha", "mv", "addmv", "multihead", "orgqr"),
        *("ormqr", "pdist", "qr", "geqrf", "rnn", "solve", "svd", "transformer"),
        *("trilinear", "vdot", "inverse", "slogdet", "logdet", "einsum", "tensordot"),
    }
)
"""Words in the names of operators that multiply matrices or solve with them."""

_MULTIPLIES_NOT = frozenset(
    {
        *("_cudnn_rnn_flatten_weight", "_use_cudnn_rnn_flatten_weight"),
        *("_linalg_check_errors", "linalg_cross", "linalg_diagonal", "linalg__powsum"),
        *("linalg_vector_norm", "lu_unpack", "slice_inverse", "fft_fftfreq"),
        *("fft_rfftfreq", "_compute_linear_combination"),
    }
)
"""Operators with such a word that do not."""

_POINTWISE = ("upsample_", "_upsample_", "__upsample_", "_thnn_")
"""Beginnings of names of operators that interpolate or finish a cell of an RNN."""

_PLAIN_SPACES = frozenset({"prims", "prim", "profiler", "c10d", "_c10d_functional"})
"""Name spaces of PyTorch's own operators that multiply nothing."""

_PLAIN = frozenset(
    {
        f"torchvision::{name}"
        for forward in ("roi_align", "roi_pool", "ps_roi_align", "ps_roi_pool")
        for name in (forward, f"_{forward}_backward")
    }
    | {"torchvision::nms"}
)
"""Operators of libraries that move far more than they compute."""


def operations(
    func: Any, arguments: Sequence[Any], named: Mapping[str, Any], result: Any
) -> float | None:
    """Return the operations of one call; None where there is no formula for it.

    Parameters
    ----------
    func : operator of PyTorch, or what its counter has a formula for
    arguments, named, result : of the call

    Notes
    -----
    A product with a sparse matrix costs 2 operations an entry and column, whatever the
    sizes of the matrix. A script's own formulas are found too: it registers them with
    ``torch.utils.flop_counter.register_flop_formula``.
    """
    from torch.utils.flop_counter import flop_registry  # noqa: PLC0415

    packet = getattr(func, "_overloadpacket", func)
    name = name_of(func)
    base = name[:-1] if name.endswith("_") else name  # noqa: FURB188  (3.9 has it)
    if base in _SPARSE and (sparse := _sparse(arguments)) is not None:
        return sparse
    if base in _FORMULAS:
        return _FORMULAS[base](arguments, result)
    formula = flop_registry.get(packet)
    if formula is None and base != name:  # in place, such as addmm_
        import torch  # noqa: PLC0415

        plain = getattr(torch.ops.aten, base.rpartition("::")[2], None)
        formula = flop_registry.get(plain)
    if formula is None:
        return None
    return float(formula(*arguments, **named, out_val=result))


def unknown(name: str) -> bool:
    """Say whether an operator without a formula may multiply matrices.

    PyTorch's own are known by their names; those of others are not.
    """
    space, _, short = name.partition("::")
    if space != "aten":
        return space not in _PLAIN_SPACES and name not in _PLAIN
    if short in _MULTIPLIES_NOT or short.startswith(_POINTWISE):
        return False
    return any(map(_multiplies, short.split("_")))


def name_of(func: Any) -> str:
    """Return the name of an operator, such as ``aten::mm``."""
    schema = getattr(func, "_schema", None)
    if schema is not None:
        return str(schema.name)
    return f"higher_order::{getattr(func, '__name__', func)}"


def kernels(name: str) -> int:
    """Return the kernels that a GPU launches for one call of an operator."""
    short = name.rpartition("::")[2]
    return 0 if short in _VIEWS else _SEVERAL.get(short, 1)


class Recurrence(NamedTuple):
    """One run of an RNN over all of its time steps, from its arguments.

    Attributes
    ----------
    inputs, state, weights : of the call
    steps : of time
    rows : of the input, over all time steps
    directions : layers, twice as many where both ways
    matrices : of the weights
    first : of those, the ones that meet the input
    """

    inputs: Any
    state: Any
    weights: Any
    steps: int
    rows: float
    directions: int
    matrices: list[Any]
    first: list[Any]

    @property
    def kernels(self) -> float:
        """Kernels of the forward pass."""
        return float(self.directions * (1 + self.steps * _KERNELS_OF_A_TIME_STEP))


def recurrence(torch: Any, args: Sequence[Any]) -> Recurrence:
    """Return what a run of an RNN is, from its arguments.

    They are ``(input, state, weights, biases, layers, dropout, training, bidirectional,
    batch_first)``, of a packed sequence ``(input, lengths, state, weights, ...)`` without
    the last.
    """
    inputs = args[0]
    packed = isinstance(args[1], torch.Tensor) and args[1].dtype == torch.int64
    state, weights = args[1 + packed], args[2 + packed]
    layers, both_ways = int(args[4 + packed]), bool(args[7 + packed])
    steps = len(args[1]) if packed else inputs.shape[1 if args[8] else 0]
    directions = layers * (2 if both_ways else 1)
    matrices = [one for one in weights if one.dim() == 2]
    return Recurrence(
        inputs=inputs,
        state=state,
        weights=weights,
        steps=int(steps),
        rows=inputs.numel() / inputs.shape[-1],
        directions=directions,
        matrices=matrices,
        first=matrices[:: max(len(matrices) // directions, 1)][: 2 if both_ways else 1],
    )


def _multiplies(word: str) -> bool:
    word = word.rstrip("0123456789")
    if word.startswith("conv"):
        return not word.startswith("convert")
    return word in _MULTIPLIES or word.endswith("mm")


def _attention(arguments: Sequence[Any], _: Any) -> float:
    """Return Q K^T and the product with V: 2 (d + d_v) an entry of the scores."""
    query, key, value = arguments[:3]
    scores = float(math.prod(query.shape[:-1]) * key.shape[-2])
    return 2.0 * scores * float(query.shape[-1] + value.shape[-1])


def _attention_backward(arguments: Sequence[Any], _: Any) -> float:
    """Return the gradients of both products, two each.

    That a fused kernel computes the scores once more is left out: it is not part of what
    the training needs, and not counted either where attention is not fused.
    """
    return 2.0 * _attention(arguments[1:], None)


def _convolution_backward(arguments: Sequence[Any], _: Any) -> float:
    """Return the gradients that are asked for, each as much as the convolution itself.

    PyTorch's counter takes a grouped convolution's for that of a dense one: 64 times too
    much for a depthwise one of 64 channels.
    """
    gradient, inputs, weight = arguments[:3]
    transposed, asked = arguments[7], arguments[10]
    positions = inputs if transposed else gradient
    forward = 2.0 * float(positions.numel() / positions.shape[1]) * float(weight.numel())
    return forward * float(bool(asked[0]) + bool(asked[1]))


def _rnn_layer(arguments: Sequence[Any], _: Any) -> float:
    """Return a layer's products with the input and with the state: input, W_ih, W_hh."""
    rows = float(math.prod(arguments[0].shape[:-1]))
    elements = float(arguments[1].numel() + arguments[2].numel())
    return 2.0 * rows * elements


def _rnn(arguments: Sequence[Any], _: Any) -> float:
    """Return the products of all layers of an RNN of a GPU's library: input, weights."""
    elements = sum(float(one.numel()) for one in arguments[1] if one.dim() == 2)
    return 2.0 * float(math.prod(arguments[0].shape[:-1])) * elements


def _rnn_backward(arguments: Sequence[Any], _: Any) -> float:
    """Return the gradients of weights and of inputs, of the first only if asked for."""
    every = 2.0 * _rnn(arguments, _)
    if arguments[-1][0]:
        return every
    layers, both_ways = arguments[13], arguments[17]
    matrices = [one for one in arguments[1] if one.dim() == 2]
    directions = layers * (2 if both_ways else 1)
    first = matrices[:: len(matrices) // directions][: 2 if both_ways else 1]
    rows = float(math.prod(arguments[0].shape[:-1]))
    return every - 2.0 * rows * sum(float(one.numel()) for one in first)


def _matrix_vector(matrix: int) -> Formula:
    return lambda arguments, _: 2.0 * float(arguments[matrix].numel())


def _addbmm(arguments: Sequence[Any], _: Any) -> float:
    return 2.0 * float(arguments[1].numel()) * float(arguments[2].shape[-1])


def _product(first: int) -> Formula:
    """Return the formula of a matrix product of arguments `first` and the next."""
    return lambda arguments, _: (
        2.0 * float(arguments[first].numel()) * float(arguments[first + 1].shape[-1])
    )


def _trilinear(arguments: Sequence[Any], _: Any) -> float:
    """Return 2 operations an element of the three factors spread over all dimensions."""
    import torch  # noqa: PLC0415

    shapes = []
    for at in range(3):
        factor, places = arguments[at], arguments[3 + at]
        shape = list(factor.shape)
        for place in places:
            shape.insert(place, 1)
        shapes.append(shape)
    return 2.0 * float(math.prod(torch.broadcast_shapes(*shapes)))


def _cdist(first: int) -> Formula:
    """Return the formula of distances: difference, power and sum of each component."""
    return lambda arguments, _: (
        3.0 * float(arguments[first].numel()) * float(arguments[first + 1].shape[-2])
    )


def _conv_tbc(arguments: Sequence[Any], result: Any) -> float:
    """Return 2 operations an output and weight of it: weights are k x in x out."""
    weight = arguments[1]
    return 2.0 * float(result.numel()) * float(weight.shape[0] * weight.shape[1])


def _fft(of_point: float, *, of_result: bool) -> Formula:
    """Return the formula of Fourier transforms: 5 N log2 N, real ones half of it.

    Source: M. Frigo and S. G. Johnson, "The design and implementation of FFTW3", Proc.
    IEEE 93 (2005), the count that they compare rates by.
    """

    def formula(arguments: Sequence[Any], result: Any) -> float:
        signal = result if of_result else arguments[0]
        points = math.prod(signal.shape[at] for at in arguments[1])
        return of_point * float(signal.numel()) * math.log2(max(points, 2))

    return formula


def _square(coefficient: float) -> Formula:
    """Return the formula of a factorization: coefficient x n^3 a matrix.

    Source: G. H. Golub and C. F. Van Loan, "Matrix Computations", 4th ed., 2013.
    """
    return lambda arguments, _: (
        coefficient * float(arguments[0].numel()) * float(arguments[0].shape[-1])
    )


def _solve(factorize: float, substitute: float) -> Formula:
    """Return the formula of a solution: factorize n^3 + substitute n^2 a right side."""

    def formula(arguments: Sequence[Any], result: Any) -> float:
        solution = result if hasattr(result, "numel") else result[0]
        size = float(arguments[0].shape[-1])
        every = factorize * float(arguments[0].numel()) * size
        return every + substitute * float(solution.numel()) * size

    return formula


def _sparse(arguments: Sequence[Any]) -> float | None:
    """Return the operations of a product with a sparse matrix; None if none is sparse."""
    import torch  # noqa: PLC0415

    left, right = [one for one in arguments if isinstance(one, torch.Tensor)][-2:]
    if left.layout != torch.strided:
        columns = right.shape[-1]
        if right.layout != torch.strided:  # as many as its average row has entries
            columns = _entries(right) / max(right.shape[0], 1)
        return 2.0 * _entries(left) * float(columns)
    if right.layout != torch.strided:
        return 2.0 * _entries(right) * float(left.shape[0])
    return None


def _entries(sparse: Any) -> float:
    return float(sparse._nnz())  # noqa: SLF001  (what every layout has)


_SPARSE = frozenset(
    f"aten::{name}" for name in ("mm", "addmm", "_sparse_mm", "_sparse_addmm", "smm")
)
"""Products that take sparse matrices too."""

_FORMULAS: Mapping[str, Formula] = {
    f"aten::{name}": formula
    for name, formula in {
        "_scaled_dot_product_flash_attention_for_cpu": _attention,
        "_scaled_dot_product_flash_attention_for_cpu_backward": _attention_backward,
        "_scaled_dot_product_fused_attention_overrideable": _attention,
        "_scaled_dot_product_fused_attention_overrideable_backward": _attention_backward,
        "_scaled_dot_product_flash_attention_backward": _attention_backward,
        "_scaled_dot_product_efficient_attention_backward": _attention_backward,
        "_scaled_dot_product_cudnn_attention_backward": _attention_backward,
        "convolution_backward": _convolution_backward,
        "_cudnn_rnn": _rnn,
        "_cudnn_rnn_backward": _rnn_backward,
        "mkldnn_rnn_layer": _rnn_layer,
        "mkldnn_rnn_layer_backward": lambda arguments, _: 2.0 * _rnn_layer(arguments, _),
        "mv": _matrix_vector(0),
        "addmv": _matrix_vector(1),
        "dot": _matrix_vector(0),
        "vdot": _matrix_vector(0),
        "addr": lambda _, result: 2.0 * float(result.numel()),
        "ger": lambda _, result: float(result.numel()),
        "addbmm": _addbmm,
        "_addmm_activation": _product(1),
        "_int_mm": _product(0),
        "_trilinear": _trilinear,
        "_cdist_forward": _cdist(0),
        "_cdist_backward": _cdist(1),
        "conv_tbc": _conv_tbc,
        "_fft_c2c": _fft(5.0, of_result=False),
        "_fft_r2c": _fft(2.5, of_result=False),
        "_fft_c2r": _fft(2.5, of_result=True),
        "linalg_cholesky_ex": _square(1.0 / 3.0),
        "linalg_lu_factor_ex": _square(2.0 / 3.0),
        "_linalg_det": _square(2.0 / 3.0),
        "_linalg_slogdet": _square(2.0 / 3.0),
        "linalg_inv_ex": _square(2.0),
        "_linalg_solve_ex": _solve(2.0 / 3.0, 2.0),
        "linalg_lu_solve": _solve(0.0, 2.0),
        "linalg_solve_triangular": _solve(0.0, 1.0),
        "triangular_solve": _solve(0.0, 1.0),
    }.items()
}
"""Formulas of ours, by name; they go before PyTorch's."""
