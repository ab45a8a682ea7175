"""The lines that a training prints about its epochs, as long as there is room for."""

from collections.abc import Sequence

import lightning

from litlab.console import number

APART = "  |  "  # between the parts of a line


def numbered(trainer: lightning.Trainer, epoch: int) -> str:
    """An epoch, counted from 0, in words: `epoch 2/5`, or `epoch 2` where steps or time end the training."""
    return f"epoch {epoch + 1}" + (f"/{trainer.max_epochs}" if (trainer.max_epochs or 0) > 0 else "")


def validated(trainer: lightning.Trainer) -> list[str]:
    """The first metric of the latest validation beside the loss, such as `val acc 0.9874`; empty if there is none."""
    found = [(name, value) for name, value in trainer.callback_metrics.items() if name.startswith("val/")]
    found = [(name, value) for name, value in found if name != "val/loss"] or found
    return [f"{name.replace('/', ' ')} {number(value.item())}" for name, value in found[:1]]


def fitting(parts: Sequence[str], width: int) -> str:
    """As many of `parts`, from the first, as there is room for."""
    note = ""
    for part in filter(None, parts):
        longer = f"{note}  {part}" if note else part
        if len(longer) > width:
            break
        note = longer
    return note


def epoch_line(name: str, metrics: Sequence[str], seconds: str, speed: str, width: int) -> str:
    """The line of an epoch that has ended. Where it is too long, the speed and the time are left out first.

    Args:
        name: of the epoch, such as `epoch 2/5`.
        metrics: of each split, such as `val: loss 0.0352 acc 0.9902`.
        seconds: how long it took.
        speed: such as `19,705 images/s`.
        width: characters of a line. What still does not fit is several lines, and no number is broken.
    """
    timed = ", ".join(filter(None, (seconds, speed)))
    for parts, apart in (([*metrics, timed], APART), ([*metrics, seconds], APART), (metrics, APART), (metrics, "  ")):
        line = f"{name}  {apart.join(filter(None, parts))}"
        if len(line) <= width:
            return line
    indent = " " * (len(name) + 2)
    return f"\n{indent}".join([f"{name}  {metrics[0]}" if metrics else name, *metrics[1:]])


def spoken(metrics: dict[str, float]) -> str:
    """`loss 0.0352 acc 0.9902`."""
    return " ".join(f"{name} {number(value)}" for name, value in metrics.items())
