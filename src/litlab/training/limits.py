"""Compares the settings that count batches and epochs with the batches and epochs that there are."""

import math
from typing import Any

import torch

from litlab.callbacks import not_one_batch
from litlab.config import Run
from litlab.data import DataModule
from litlab.errors import ConfigError, one_line
from litlab.networks import trying_training

SPLITS = ("train", "val", "test")


def has_length(trainer: Any) -> bool:
    """Whether it is known how long a training is: a run that only `trainer.max_time` ends has no length."""
    return bool(trainer.max_epochs) or trainer.get("max_steps") not in (None, -1)


def times_read(trainer: Any, count: int) -> float:
    """How many times a training reads its `count` batches at most, as far as its settings say."""
    steps, accumulated = trainer.get("max_steps"), trainer.get("accumulate_grad_batches") or 1
    epochs = trainer.max_epochs if trainer.max_epochs not in (None, -1) else math.inf
    read = epochs * limited(trainer.get("limit_train_batches"), count)
    if steps not in (None, -1):
        read = min(read, steps * accumulated)
    return read / max(1, count)


def check_limits(run: Run, data: DataModule) -> None:
    """Refuses a limit that leaves no batch, and a validation that never comes, before anything is trained.

    Args:
        data: after `setup`.

    Raises:
        ConfigError: naming the setting, and how many batches or epochs there are.
    """
    check_validation(run, data)
    interval = run.get("trainer.val_check_interval")
    limits = {split: run.get(f"trainer.limit_{split}_batches") for split in SPLITS}
    for split in SPLITS:
        if limits[split] and split in data.sizes and (split != "test" or run.cfg.test):
            check_limit(f"trainer.limit_{split}_batches", limits[split], batches(data, split))
    trained = limited(limits["train"], batches(data, "train"))
    if interval is not None and data.validates:
        check_interval(run, interval, trained)
    if run.get("callbacks.overfit.enabled") and trained != 1:
        raise ConfigError(not_one_batch(trained))


def check_validation(run: Run, data: DataModule) -> None:
    """Refuses to validate every so many epochs if the run has fewer, and the best checkpoint needs a validation."""
    every, epochs = run.get("trainer.check_val_every_n_epoch"), run.cfg.trainer.max_epochs
    validates = data.validates and run.get("trainer.limit_val_batches") != 0
    if validates and every and epochs not in (None, -1) and every > epochs and run.cfg.objective.startswith("val/"):
        raise ConfigError(
            f"trainer.check_val_every_n_epoch={every}: the run has {epochs} epoch{'s' * (epochs > 1)} and would never "
            f"be validated; write at most {epochs}"
        )


def check_last_batch(run: Run, data: DataModule, network: torch.nn.Module) -> None:
    """Refuses a last training batch of one input that the network cannot normalise, as batch norm may be.

    Args:
        data: after `setup`.
        network: is left as it is.

    Raises:
        ConfigError: naming the settings that help.
    """
    alone = data.batch_size == 1 or data.sizes["train"] % data.batch_size == 1
    if not alone or data.drop_last or run.get("trainer.limit_train_batches") is not None:
        return
    try:
        with torch.no_grad(), trying_training(network):
            network(torch.zeros(1, *data.input_shape))
    except ValueError as error:
        raise ConfigError(
            f"the last batch would be one of {data.sizes['train']:,} images alone, which {run.option('model')} "
            f"cannot train on ({one_line(error)}): write data.drop_last=true, or another data.batch_size"
        ) from error


def check_limit(key: str, limit: float, count: int) -> None:
    """Refuses a limit that leaves none of `count` batches."""
    if limited(limit, count) == 0:
        raise ConfigError(
            f"{key}={limit:g}: leaves none of {count} batch{'es' * (count != 1)}; write a number of batches, such as 1"
        )


def check_interval(run: Run, interval: Any, count: int) -> None:
    """Refuses an interval between validations that is longer than the `count` batches of an epoch."""
    if run.get("trainer.check_val_every_n_epoch") is None or not isinstance(interval, int | float):
        return  # batches are then counted over epochs, or it is a time
    key = f"trainer.val_check_interval={interval:g}"
    if isinstance(interval, int) and interval > count:
        raise ConfigError(
            f"{key}: an epoch has {count} batch{'es' * (count != 1)}; write at most {count}, or "
            "trainer.check_val_every_n_epoch=null to count over epochs"
        )


def limited(limit: float | None, count: int) -> int:
    """How many of `count` batches a limit leaves, as Lightning counts."""
    if limit is None:
        return count
    return int(count * limit) if isinstance(limit, float) else min(limit, count)


def batches(data: DataModule, split: str) -> int:
    """The number of batches of a split. Several processes share each batch."""
    size = data.sizes[split]
    if split == "train" and data.drop_last:
        return size // data.batch_size
    return -(-size // (data.batch_size if split == "train" else data.eval_batch_size))
