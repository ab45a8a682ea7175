"""What is known of a run when it ends, as plain numbers."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Setup:
    """How the run was made: the values that the advice raises or lowers, and what it need not propose.

    Args:
        cores: of the CPU, for this process.
        data_in: where the training images are: `files`, `memory`, or `gpu` for the memory of the GPU.
        engine: eager, blocks or graph.
        augment: names of the augmentations in use.
        clips: whether gradients are clipped.
        stops_early: whether early stopping is on.
        frozen: whether some parameters are not trained.
        comparable: whether the training loss is of images as validation sees them: not of mixed or strongly changed
            ones, not weighted or smoothed, and with the whole network trained from the start.
        pure_float16: whether weights and losses are float16, with `trainer.precision=16-true`.
        batch_norm: whether layers keep averages of what they see, and need many steps until these are right.
        tries: whether an epoch is cut short on purpose (`trainer.limit_train_batches`), so more epochs are no advice.
    """

    lr: float = 1e-3
    weight_decay: float = 0.0
    batch_size: int = 64
    num_workers: int = 0
    cores: int = 8
    max_epochs: int = 1
    device: str = "CPU"
    data_in: str = "files"
    engine: str = "eager"
    augment: Sequence[str] = ()
    clips: bool = False
    stops_early: bool = False
    frozen: bool = False
    comparable: bool = True
    pure_float16: bool = False
    batch_norm: bool = False
    tries: bool = False

    @property
    def lower(self) -> str:
        """A learning rate to try where this one is too high."""
        return f"optimizer.lr={digits(min(self.lr / 10, 0.1))} (it is {digits(self.lr)})"

    @property
    def higher(self) -> str:
        """A learning rate to try where this one is too low."""
        higher = self.lr * 10 if self.lr >= TINY_LR else USUAL_LR
        return f"optimizer.lr={digits(higher)} (it is {digits(self.lr)})"


TINY_LR, USUAL_LR = 1e-7, 1e-3  # ten times a tiny learning rate is still tiny
FEW_STEPS = 100  # with fewer steps, a network may not have learned anything yet, or its accuracy alone has risen
ONCE = 1.5  # fewer passes count as one: the last batches of a pass may be repeated


@dataclass
class Evidence:
    """What is known of a run when it ends. Everything may be missing.

    Args:
        losses: training loss over blocks of steps. The first value is the loss of the very first batch.
        train: mean training loss of each epoch.
        val: mean validation loss, after every `val_every` epochs; None: more often than once an epoch.
        train_acc: training accuracy of the latest epoch.
        val_acc: latest validation accuracy.
        val_r2: latest R2 of the validation; None where there are classes.
        num_classes: None where there are no classes.
        plain_cross_entropy: whether the loss of a network that knows nothing is ln(num_classes).
        nonfinite_step: the step in which the loss became NaN or infinite.
        before_training: whether that was the loss before the first step of the optimizer.
        class_names: of the classes.
        support: validation images of each class.
        predicted: how often each class was predicted for them.
        units: of each ReLU its name, its units that never fired on validation images, and all its units.
        updates: of each epoch the change of the weights in one step, relative to the weights; the median over layers.
        steps: that the optimizer took.
        passes: how often each training image was seen; None if that is not known.
        waited: seconds in which training had no batch.
        trained: seconds of training in all.
        ended_early: whether the run was stopped before its last epoch.
        stopped_early: whether early stopping did that.
        setup: how the run was made.
    """

    losses: Sequence[float] = ()
    train: Sequence[float] = ()
    val: Sequence[float] = ()
    val_every: int | None = 1
    train_acc: float | None = None
    val_acc: float | None = None
    val_r2: float | None = None
    num_classes: int | None = None
    plain_cross_entropy: bool = False
    nonfinite_step: int | None = None
    before_training: bool = False
    class_names: Sequence[str] = ()
    support: Sequence[int] = ()
    predicted: Sequence[int] = ()
    units: Sequence[tuple[str, int, int]] = ()
    updates: Sequence[float] = ()
    steps: int | None = None
    passes: float | None = None
    waited: float = 0.0
    trained: float = 0.0
    ended_early: bool = False
    stopped_early: bool = False
    setup: Setup = field(default_factory=Setup)

    @property
    def settled(self) -> bool:
        """Whether there were so many steps, or so many passes, that a bad validation means something."""
        if self.steps is None or self.steps >= FEW_STEPS:
            return True
        return not self.setup.batch_norm and not self.saw_each_image_once

    @property
    def saw_each_image_once(self) -> bool:
        """Whether the training images were not repeated, so that nothing can have been learned by heart."""
        return self.passes is not None and self.passes < ONCE


def digits(value: float | None) -> str:
    """A number with three digits; `?` for None."""
    return "?" if value is None else f"{value:.3g}"
