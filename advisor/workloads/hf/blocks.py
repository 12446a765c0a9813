"""Parts of layers: attention, feed-forward blocks, experts, norms."""

from __future__ import annotations

from advisor.workloads.hf.net import Layer


def norms(width: int, number: int = 1, *, bias: bool) -> Layer:
    """Return norms of a width: a scale, and a bias where the kind has one."""
    return Layer(vectors=number * width * (2 if bias else 1))


def attention(
    hidden: int,
    heads: int,
    key_value_heads: int,
    head_dim: int,
    *,
    bias: bool = False,
    key_bias: bool | None = None,
    out_bias: bool = False,
) -> Layer:
    """Return attention of a stack on itself.

    Parameters
    ----------
    hidden : width of the stack
    heads, key_value_heads, head_dim : queries are heads x head_dim wide, keys and values
        key_value_heads x head_dim
    bias, key_bias, out_bias : of the projections to queries and values, to keys (as the
        others where None) and of the output
    """
    query, key = heads * head_dim, key_value_heads * head_dim
    keys_too = bias if key_bias is None else key_bias
    vectors = (query + key) * bias + key * keys_too + hidden * out_bias
    return Layer(
        matrices=2 * hidden * query + 2 * hidden * key,
        vectors=vectors,
        scored=2 * query,
        adapted=2 * hidden + query + key,
    )


def cross_attention(
    hidden: int,
    memory: int,
    heads: int,
    head_dim: int,
    *,
    bias: bool = False,
    key_bias: bool | None = None,
) -> Layer:
    """Return attention on a stack that is `memory` wide; the rest as in `attention`."""
    wide = heads * head_dim
    keys_too = bias if key_bias is None else key_bias
    return Layer(
        matrices=2 * hidden * wide,
        memory_matrices=2 * memory * wide,
        vectors=(2 * wide + hidden) * bias + wide * keys_too,
        cross_scored=2 * wide,
        adapted=hidden + memory + 2 * wide,
    )


def feed_forward(hidden: int, inner: int, *, gated: bool, bias: bool = False) -> Layer:
    """Return a feed-forward block; with a gate it has a third matrix."""
    into = 2 if gated else 1
    return Layer(
        matrices=(into + 1) * hidden * inner,
        vectors=(into * inner + hidden) * bias,
        inner=0 if gated else inner,
        gated_inner=inner if gated else 0,
    )


def experts(hidden: int, inner: int, number: int, sent: int) -> Layer:
    """Return experts with a gate each, and the router that chooses among them.

    Parameters
    ----------
    hidden, inner : widths of the stack and of an expert
    number, sent : of experts, and to how many of them a token goes
    """
    each = 3 * hidden * inner
    return Layer(
        matrices=sent * each + number * hidden,
        idle=(number - sent) * each,
        expert_inner=sent * inner,
        experts=sent,
    )
