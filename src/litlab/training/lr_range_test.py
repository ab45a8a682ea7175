"""`lr_find=true`: tries rising learning rates on fresh weights, and suggests a sweep around the best ones.

A range test (Smith 2017, Cyclical Learning Rates for Training Neural Networks, section 3.3), three times: each seed has
fresh weights, which are thrown away. It makes its own steps, so the answer is the same for every engine. It leaves
nothing but its picture.
"""

import math
import re
import shutil
import statistics
from collections.abc import Iterator
from contextlib import nullcontext
from itertools import count
from pathlib import Path
from typing import Any

import lightning
import torch

from litlab.config import Run, directions
from litlab.console import command, quieten, say
from litlab.data import DataModule, PictureDataModule
from litlab.errors import ConfigError
from litlab.files import shown
from litlab.runs import CONFIG, LOG
from litlab.training import weights
from litlab.training.assemble import assemble, prepare_data
from litlab.training.lr_curve import Curve, diverges, smoothed, sweep_rates
from litlab.training.settle import precision, settle_for_all_processes

SEEDS = 3
STEPS = 100
LOWEST, HIGHEST = 1e-6, 10.0  # learning rates
PICTURE = "lr_find.png"
A_PATH, A_WORD = r"[\w.~-]*/[\w./~-]*", r"[A-Za-z_][\w.-]*"  # which need no quotes,
NO_TEXT = "(?i:null|true|false|inf|nan)"  # unlike these
NOT_OF_THE_SWEEP = ("lr_find", "optimizer.lr", "name", "debug")  # `name`: its folder holds the picture


def find_learning_rate(run: Run) -> None:
    """Prints a suggestion with its spread over the seeds, and the command of a sweep. Draws the picture.

    Raises:
        ConfigError: if the run cannot be built, is a job of a sweep, or learns nothing at any rate.
    """
    if run.job:
        raise ConfigError("lr_find=true: not in a sweep; leave out -m")
    quieten()
    run = settle_for_all_processes(run)
    curves = [range_test(run.settled(seed=run.cfg.seed + number)) for number in range(SEEDS)]
    if any(curve.lowest == 0 for curve in curves):
        raise ConfigError(f"lr_find=true: the loss falls at no rate from {LOWEST:g} to {HIGHEST:g}")
    from litlab.training.lr_picture import draw  # imports matplotlib

    suggested = statistics.geometric_mean(curve.steepest for curve in curves)
    draw(curves, suggested, run.folder / PICTURE)
    _remove_record(run.folder)
    low, high = (of(curve.steepest for curve in curves) for of in (min, max))
    rates = ",".join(f"{rate:.2g}" for rate in sweep_rates(curves))
    say(f"{'lr_find':<14}optimizer.lr={suggested:.2g} falls fastest ({low:.2g} to {high:.2g} over {SEEDS} seeds)")
    say(f"{'too high':<14}from {min(curve.too_high for curve in curves):.2g} on")
    say(f"{'picture':<14}{shown(run.folder)}/{PICTURE}")
    overrides = [_as_typed(o) for o in run.overrides if o.lstrip("+").split("=")[0] not in NOT_OF_THE_SWEEP]
    say(f"{'a sweep':<14}{command('train.py', '-m', *overrides, f'optimizer.lr={rates}')}")


def _as_typed(override: str) -> str:
    """`data.data_dir=/data` for `data.data_dir='/data'`, as the user typed it: Hydra was given quotes around it."""
    return re.sub(rf"^([\w.+]+)='({A_PATH}|(?!{NO_TEXT}'){A_WORD})'$", r"\1=\2", override)


def range_test(run: Run) -> Curve:
    """The losses of one seed, on fresh weights, until they diverge."""
    lightning.seed_everything(run.cfg.seed, workers=True, verbose=False)
    run, data, module = assemble(run.settled(**directions(run.cfg)))
    weights.load(run, module.network)
    prepare_data(run, data)
    if isinstance(data, PictureDataModule):
        data.cache = "none"  # it would decode all pictures for a few steps
    on_gpu = run.cfg.trainer.accelerator != "cpu" and torch.cuda.is_available()
    device = torch.device("cuda" if on_gpu else "cpu")
    module.to(device).train()
    optimizer = module.make_optimizer(module.trained())
    first = [group["lr"] / run.cfg.optimizer.lr for group in optimizer.param_groups]
    mixed = "mixed" in precision(run, data)
    rates = [LOWEST * (HIGHEST / LOWEST) ** (step / (STEPS - 1)) for step in range(STEPS)]
    losses: list[float] = []
    for rate, (images, targets) in zip(rates, batches(data, device), strict=False):
        for group, factor in zip(optimizer.param_groups, first, strict=True):
            group["lr"] = rate * factor
        with torch.autocast(device.type, torch.bfloat16) if mixed else nullcontext():
            total, loss, _ = module.step(*data.preprocess(images, targets, training=True))
        if not math.isfinite(value := loss.item()) or diverges([*losses, value]):
            break
        losses.append(value)
        optimizer.zero_grad()
        total.backward()
        if limit := run.get("trainer.gradient_clip_val"):
            torch.nn.utils.clip_grad_norm_(module.network.parameters(), limit)
        optimizer.step()
    return Curve(rates[: len(losses)], losses, smoothed(losses))


def batches(data: DataModule, device: torch.device) -> Iterator[Any]:
    """Training batches on a device, one epoch after the other."""
    loader: Any = data.train_dataloader()
    for epoch in count():
        loader.batch_sampler.set_epoch(epoch)
        data.set_epoch(epoch)
        for batch in loader:
            yield data.transfer_batch_to_device(batch, device, 0)


def _remove_record(folder: Path) -> None:
    """Removes what Hydra has written: the folder is no run."""
    shutil.rmtree((folder / CONFIG).parent, ignore_errors=True)
    (folder / LOG).unlink(missing_ok=True)
