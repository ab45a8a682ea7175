"""A small vision transformer for small images (Dosovitskiy et al. 2020, https://arxiv.org/abs/2010.11929)."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from litlab.networks.tokens import TokenNetwork, mlp


class Attention(nn.Module):
    """Self-attention with several heads: tokens [B, N, width] to [B, N, width]."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.inputs = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        B, N, width = tokens.shape
        query, key, value = self.inputs(tokens).view(B, N, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        found = F.scaled_dot_product_attention(query, key, value)
        return self.output(found.transpose(1, 2).reshape(B, N, width))


class Block(nn.Module):
    """Attention and a small network for each token, each added to its input: [B, N, width] to [B, N, width]."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.mlp = mlp(width, 4 * width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self.dropout(self.attention(self.norm1(tokens)))
        return tokens + self.dropout(self.mlp(self.norm2(tokens)))


class ViT(TokenNetwork):
    """Patches as tokens with learned positions, transformer blocks, and a linear layer on the mean of the tokens.

    It maps images [B, C, H, W] to logits [B, num_classes].

    Args:
        input_shape: (C, H, W) of the images; the sides are multiples of `patch`.
        num_classes: number of outputs.
        patch: pixels per side of a patch.
        width: numbers of a token, a multiple of `heads`.
        depth: number of blocks.
        heads: of the attention.
        dropout: probability, after each attention and each small network.

    Raises:
        ValueError: an argument has a wrong value; the message begins with the argument's name.
    """

    def __init__(
        self,
        input_shape: Sequence[int] = (3, 32, 32),
        num_classes: int = 10,
        patch: int = 4,
        width: int = 192,
        depth: int = 6,
        heads: int = 3,
        dropout: float = 0.0,
    ) -> None:
        if heads < 1 or width % heads:
            raise ValueError(f"heads={heads} must be at least 1 and divide width={width}")
        super().__init__(input_shape, num_classes, patch, width, depth, lambda _: Block(width, heads, dropout), True)
