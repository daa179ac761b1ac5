"""Two post-norm transformer layers of which one output row is read.

The second layer computes only that row: nothing else depends on its other rows.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from streamer.arithmetic import Arithmetic

EPS = 1e-5


class Transformer(nn.Module):
    """Maps `[n, S, D]` to one row of its output, `[n, D]`.

    Parameters have the names and the initial values of `torch.nn.TransformerEncoder`: both layers start
    equal. Feed-forward layers are 2D wide; a LayerNorm without parameters ends it.

    Args:
        dim: D.
        heads: attention heads.
        arithmetic: of the model.
    """

    def __init__(self, dim: int, heads: int, arithmetic: Arithmetic) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(dim, heads, dim_feedforward=2 * dim, dropout=0.0, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, num_layers=2, enable_nested_tensor=False).layers
        self.dim = dim
        self.heads = heads
        self._arithmetic = arithmetic

    def forward(self, x_nSD: Tensor, row: int, mask_nS: Tensor | None = None) -> Tensor:
        """Reads one row.

        Args:
            x_nSD: sequences.
            row: which row of the output to return.
            mask_nS: True for what is there, False for padding; None where there is no padding.
        """
        mask = None if mask_nS is None else mask_nS[:, None, None, :]
        first, second = self.layers
        x_nSD = self._layer(first, x_nSD, x_nSD, mask)
        x_n1D = self._layer(second, x_nSD[:, row : row + 1], x_nSD, mask)
        return F.layer_norm(x_n1D[:, 0], (self.dim,), eps=EPS)

    def _layer(self, layer: nn.Module, x: Tensor, context: Tensor, mask: Tensor | None) -> Tensor:
        """One layer's output for the rows `x` `[n, R, D]`, which attend to `context` `[n, S, D]`."""
        assert isinstance(layer, nn.TransformerEncoderLayer)
        linear = self._arithmetic.linear
        attended = self._attend(layer.self_attn, x, context, mask)
        x = _norm(layer.norm1, x + attended)
        hidden = F.relu(linear(x, layer.linear1.weight, layer.linear1.bias))
        return _norm(layer.norm2, x + linear(hidden, layer.linear2.weight, layer.linear2.bias))

    def _attend(
        self, attention: nn.MultiheadAttention, x: Tensor, context: Tensor, mask: Tensor | None
    ) -> Tensor:
        linear = self._arithmetic.linear
        weight, bias = attention.in_proj_weight, attention.in_proj_bias
        if x is context:
            queries, keys, values = self._split(linear(x, weight, bias))
        else:
            queries, keys, values = self._project_apart(attention, x, context)
        y = F.scaled_dot_product_attention(queries, keys, values, attn_mask=mask)
        y = y.transpose(1, 2).flatten(2)
        return linear(y, attention.out_proj.weight, attention.out_proj.bias)

    def _split(self, projected: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values `[n, heads, S, D / heads]` from one projection `[n, S, 3D]`."""
        parts = projected.unflatten(2, (3, self.heads, self.dim // self.heads)).permute(2, 0, 3, 1, 4)
        return parts[0], parts[1], parts[2]

    def _project_apart(
        self, attention: nn.MultiheadAttention, x: Tensor, context: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Queries of fewer rows than keys and values."""
        linear, dim = self._arithmetic.linear, self.dim
        weight, bias = attention.in_proj_weight, attention.in_proj_bias
        shape = (self.heads, dim // self.heads)
        queries = linear(x, weight, bias, slice(0, dim)).unflatten(2, shape).transpose(1, 2)
        both = linear(context, weight, bias, slice(dim, 3 * dim))
        keys, values = both.unflatten(2, (2, *shape)).permute(2, 0, 3, 1, 4)
        return queries, keys, values


def _norm(norm: nn.LayerNorm, x: Tensor) -> Tensor:
    return F.layer_norm(x, norm.normalized_shape, norm.weight, norm.bias, norm.eps)
