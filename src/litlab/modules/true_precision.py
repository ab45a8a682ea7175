"""Batches for a network whose weights have another type than float32: `trainer.precision=bf16-true`, for example."""

from collections.abc import Callable

import torch
from torch import Tensor

# The precisions in which the network has weights of this type, so that it takes no other images.
TRUE_PRECISION = {"16-true": torch.float16, "bf16-true": torch.bfloat16, "64-true": torch.float64}


def in_dtype(
    preprocess: Callable[..., tuple[Tensor, Tensor]],
    dtype: torch.dtype,
    images: Tensor,
    targets: Tensor,
    training: bool,
) -> tuple[Tensor, Tensor]:
    """Images, and targets that are no classes, in the type of the weights. All that comes before has 32 bits."""
    usual = torch.get_default_dtype()  # Lightning has set that of the weights
    torch.set_default_dtype(torch.float32)
    try:
        images, targets = preprocess(images, targets, training=training)
    finally:
        torch.set_default_dtype(usual)
    return images.to(dtype), targets.to(dtype) if targets.is_floating_point() else targets
