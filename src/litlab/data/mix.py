"""Mixup and CutMix: each training image is mixed with another one of its batch, and so are their targets."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Beta

Kind = Literal["mixup", "cutmix", "both"]


class Mix:
    """Mixes each image with its neighbour in the batch. Every image draws its own share.

    `mixup` averages both images (Zhang et al. 2017, https://arxiv.org/abs/1710.09412). `cutmix` puts a box of the other
    image into the image (Yun et al. 2019, https://arxiv.org/abs/1905.04899). `both` draws one of
    the two for each image.

    Args:
        num_classes: number of classes.
        kind: `mixup`, `cutmix` or `both`.
        alpha: the share of an image is drawn from Beta(alpha, alpha).
        probability: that an image is mixed at all.
        until: the part of the epochs in which images are mixed; the last ones see whole images.
        epochs: of the training; None if it is not known.

    Raises:
        ValueError: an argument has a wrong value; the message begins with the argument's name.
    """

    def __init__(
        self,
        num_classes: int,
        kind: Kind = "mixup",
        alpha: float = 1.0,
        probability: float = 1.0,
        until: float = 1.0,
        epochs: int | None = None,
    ) -> None:
        if kind not in ("mixup", "cutmix", "both"):
            raise ValueError(f"kind must be mixup, cutmix or both, not {kind!r}")
        if alpha <= 0:
            raise ValueError(f"alpha must be above 0, not {alpha}")
        for name, value in (("probability", probability), ("until", until)):
            if not 0 <= value <= 1:
                raise ValueError(f"{name} must be from 0 to 1, not {value}")
        if until < 1 and (epochs or -1) < 0:
            raise ValueError("until needs the length of the training: write trainer.max_epochs")
        self.num_classes, self.kind, self.alpha, self.probability = num_classes, kind, alpha, probability
        self.mixed_epochs = None if until == 1 else round(until * (epochs or 0))
        self._is_on = 1.0
        # On each device alpha, and 1 or 0 for on and off: a captured step reads what the tensors hold.
        self._constants: dict[torch.device, tuple[Tensor, Tensor]] = {}

    def set_epoch(self, epoch: int) -> None:
        """Sets the number of the epoch, from 0."""
        self._is_on = float(self.mixed_epochs is None or epoch < self.mixed_epochs)
        for _, is_on in self._constants.values():
            is_on.fill_(self._is_on)

    def __call__(self, images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Mixed images and their targets.

        Args:
            images: float [B, C, H, W].
            targets: int64 [B].

        Returns:
            Images [B, C, H, W]; the share of each class, float32 [B, num_classes].
        """
        share = self._shares(len(images), images.device)
        others = images.roll(1, 0)
        if self.kind == "mixup":
            mixed = averaged(images, others, share)
        else:
            box = boxes(images, share)
            mixed, cut_share = torch.where(box, others, images), 1 - box.float().mean((1, 2, 3))
            if self.kind == "both":
                is_cut = torch.rand(len(images), device=images.device) < 0.5
                mixed = torch.where(is_cut[:, None, None, None], mixed, averaged(images, others, share))
                share = torch.where(is_cut, cut_share, share)
            else:
                share = cut_share
        classes = F.one_hot(targets, self.num_classes).float()
        return mixed, classes * share[:, None] + classes.roll(1, 0) * (1 - share[:, None])

    def _shares(self, batch: int, device: torch.device) -> Tensor:
        """How much of each image stays, float32 [batch]: 1 where it is not mixed."""
        if device not in self._constants:
            values = torch.tensor(self.alpha, device=device), torch.tensor(self._is_on, device=device)
            self._constants[device] = values
        alpha, is_on = self._constants[device]
        drawn = Beta(alpha.expand(batch), alpha.expand(batch), validate_args=False).sample()
        is_mixed = (torch.rand(batch, device=device) < self.probability) * is_on
        return 1 - (1 - drawn) * is_mixed


def averaged(images: Tensor, others: Tensor, share: Tensor) -> Tensor:
    """`share` [B] of each image and the rest of another one, [B, C, H, W]."""
    share = share.view(-1, 1, 1, 1).to(images.dtype)
    return images * share + others * (1 - share)


def boxes(images: Tensor, share: Tensor) -> Tensor:
    """A box of each image that covers 1 - `share` [B] of it, or less at the edges, bool [B, 1, H, W]."""
    H, W = images.shape[2:]
    part = 0.5 * (1 - share).sqrt()
    rows, columns = _covered(part, H), _covered(part, W)
    return rows[:, None, :, None] & columns[:, None, None, :]


def _covered(part: Tensor, side: int) -> Tensor:
    """Which rows (or columns) are at most `part` [B] of the side away from a random centre, bool [B, side]."""
    centre = torch.randint(side, (len(part), 1), device=part.device)
    half = (part * side).floor()[:, None]
    place = torch.arange(side, device=part.device)
    return (place >= centre - half) & (place < centre + half)
