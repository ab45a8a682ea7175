"""Learning-rate schedules, in the form that Lightning's `configure_optimizers` returns.

The first three arguments of each are an optimizer, the number of steps in an epoch, and the number of epochs. `lr` is
the learning rate of the optimizer. `warmup_epochs`, which may be a fraction, raises the learning rate linearly from
nearly 0 to `lr`.

All raise ValueError for a wrong value; the message begins with the argument's name.
"""

import inspect
import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import CyclicLR, LambdaLR, LinearLR, LRScheduler, OneCycleLR, ReduceLROnPlateau

from litlab.direction import better

Schedulers = list[dict[str, Any]]


def cosine(
    optimizer: Optimizer, steps_per_epoch: int, epochs: int, warmup_epochs: float = 0, min_factor: float = 0.0
) -> Schedulers:
    """Half a cosine from `lr` to `min_factor * lr` over the training.

    Loshchilov and Hutter 2017, https://arxiv.org/abs/1608.03983, section 3, without restarts.
    """

    def half_cosine(progress: float) -> float:
        return 0.5 * (1 + math.cos(math.pi * progress))

    _check_not_negative("min_factor", min_factor)
    return _falling(optimizer, steps_per_epoch, epochs, warmup_epochs, min_factor, half_cosine)


def linear(
    optimizer: Optimizer, steps_per_epoch: int, epochs: int, warmup_epochs: float = 0, final_factor: float = 0.0
) -> Schedulers:
    """A straight line from `lr` to `final_factor * lr` over the training. With `warmup_epochs` it is a triangle."""
    _check_not_negative("final_factor", final_factor)
    return _falling(optimizer, steps_per_epoch, epochs, warmup_epochs, final_factor, lambda progress: 1 - progress)


def step(
    optimizer: Optimizer,
    steps_per_epoch: int,
    epochs: int,
    milestones: Sequence[float] = (0.5, 0.75),
    gamma: float = 0.1,
    warmup_epochs: float = 0,
) -> Schedulers:
    """Multiplies the learning rate by `gamma` at each milestone: an epoch, or a fraction of the training if below 1."""
    if any(milestone <= 0 for milestone in milestones):
        raise ValueError(f"milestones must be positive, not {list(milestones)}")
    warmup = warmup_steps(warmup_epochs, steps_per_epoch, epochs)
    drops = [(m * epochs if m < 1 else m) * steps_per_epoch for m in milestones]

    def factor(step: int) -> float:
        ramp = min(1.0, (step + 1) / (warmup + 1))
        return ramp * gamma ** sum(step >= drop for drop in drops)

    return every_step(LambdaLR(optimizer, factor))


def one_cycle(
    optimizer: Optimizer,
    steps_per_epoch: int,
    epochs: int,
    warmup_epochs: float | None = None,
    start_factor: float = 0.04,
    final_factor: float = 1e-4,
) -> Schedulers:
    """Up from `start_factor * lr` to `lr`, then down to `final_factor * start_factor * lr`, in one cosine cycle.

    Smith and Topin 2018, https://arxiv.org/abs/1708.07120. The rise takes `warmup_epochs`; None means 30 % of the
    training.
    """
    if start_factor <= 0:
        raise ValueError(f"start_factor must be above 0, not {start_factor}")
    _check_not_negative("final_factor", final_factor)
    total = max(2, steps_per_epoch * epochs)
    rise = 0.3
    if warmup_epochs is not None:
        warmup = warmup_steps(warmup_epochs, steps_per_epoch, epochs)
        rise = (2 if warmup == 1 else warmup) / total  # OneCycleLR divides by the number of steps of the rise minus 1
    scheduler = OneCycleLR(
        optimizer,
        max_lr=[group["lr"] for group in optimizer.param_groups],
        total_steps=total,
        pct_start=rise,
        div_factor=1 / start_factor,
        final_div_factor=1 / final_factor if final_factor else math.inf,
        cycle_momentum=False,  # keep the momentum of the optimizer
    )
    return every_step(scheduler)


def plateau(
    optimizer: Optimizer,
    steps_per_epoch: int,
    epochs: int,
    monitor: str = "val/loss",
    mode: str | None = None,
    factor: float = 0.1,
    patience: int = 3,
    min_lr: float = 0.0,
    warmup_epochs: float = 0,
) -> Schedulers:
    """Multiplies the learning rate by `factor` when `monitor` has not improved for `patience` epochs.

    `mode` is `min` if a lower value is better. None: by the name of `monitor`.
    """
    mode = mode or better(monitor)
    main = ReduceLROnPlateau(optimizer, mode=mode, factor=factor, patience=patience, min_lr=min_lr)  # type: ignore[arg-type]
    schedulers: Schedulers = [{"scheduler": main, "interval": "epoch", "monitor": monitor}]
    if warmup := warmup_steps(warmup_epochs, steps_per_epoch, epochs):
        # LinearLR multiplies by 1 after the warmup, so it does not disturb the plateau schedule.
        ramp = LinearLR(optimizer, start_factor=1 / (warmup + 1), total_iters=warmup)
        schedulers += every_step(ramp)
    return schedulers


def _check_not_negative(name: str, factor: float) -> None:
    """Raises ValueError for a factor that would make the learning rate negative."""
    if factor < 0:
        raise ValueError(f"{name} must be at least 0, not {factor}")


def _falling(
    optimizer: Optimizer,
    steps_per_epoch: int,
    epochs: int,
    warmup_epochs: float,
    floor: float,
    shape: Callable[[float], float],
) -> Schedulers:
    """Up to `lr` in `warmup_epochs`, then down to `floor * lr`.

    Args:
        shape: falls from 1 at progress 0 to 0 at progress 1.
    """
    warmup = warmup_steps(warmup_epochs, steps_per_epoch, epochs)
    total = steps_per_epoch * epochs

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / (warmup + 1)
        return floor + (1 - floor) * shape(min(1.0, (step - warmup) / max(1, total - warmup)))

    return every_step(LambdaLR(optimizer, factor))


def warmup_steps(warmup_epochs: float, steps_per_epoch: int, epochs: int) -> int:
    """Number of steps in `warmup_epochs`, rounded."""
    if not 0 <= warmup_epochs < epochs:
        raise ValueError(f"warmup_epochs must be at least 0 and less than the {epochs} epochs, not {warmup_epochs}")
    return round(warmup_epochs * steps_per_epoch)


def every_step(scheduler: Any) -> Schedulers:
    """Makes Lightning step a scheduler after each step of the optimizer."""
    return [{"scheduler": scheduler, "interval": "step"}]


Schedule = Callable[[Optimizer, int, int], Schedulers]


def is_of_torch(make: Any) -> bool:
    """Whether a class, or a partial call of it, is one of torch's own schedulers, which takes an optimizer alone."""
    target = make.func if isinstance(make, partial) else make
    return inspect.isclass(target) and issubclass(target, LRScheduler)


def _made(make: Any, optimizer: Optimizer) -> Any:
    """The scheduler of an optimizer, with the schedulers that it is made of."""
    parts = make.keywords.get("schedulers") if isinstance(make, partial) else None
    if parts is None:
        return make(optimizer)
    return make(optimizer=optimizer, schedulers=[_made(part, optimizer) for part in parts])


def of_torch(make: Callable[[Optimizer], LRScheduler]) -> Schedule:
    """A scheduler of `torch.optim.lr_scheduler`, with its options bound, as a schedule.

    It steps after each epoch, as PyTorch's documentation has it; OneCycleLR and CyclicLR step after each batch.
    ReduceLROnPlateau watches `val/loss`.
    """

    def schedule(optimizer: Optimizer, steps_per_epoch: int, epochs: int) -> Schedulers:
        scheduler = _made(make, optimizer)
        if isinstance(scheduler, OneCycleLR | CyclicLR):
            return every_step(scheduler)
        watched = {"monitor": "val/loss"} if isinstance(scheduler, ReduceLROnPlateau) else {}
        return [{"scheduler": scheduler, "interval": "epoch", **watched}]

    return schedule
