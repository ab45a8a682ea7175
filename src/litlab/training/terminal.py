"""What a training prints itself: its first line, its last lines, and the layers of a network."""

import shlex
import textwrap
from collections.abc import Sequence
from typing import Any

import lightning
import torch
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from litlab.callbacks import groups_table, summary_table
from litlab.checkpoint import to_be_trusted
from litlab.config import Run, class_of
from litlab.console import command, console, number, quieten, say, warn
from litlab.data import DataModule
from litlab.errors import ConfigError
from litlab.files import shown
from litlab.networks import Registered
from litlab.runs import best_or_last
from litlab.training import weights
from litlab.training.assemble import assemble
from litlab.training.build import Parts, make_unfreeze
from litlab.training.network import advice, typed

HEADING = 14  # characters before the text of a line
BESIDE = " | "
WIDEST = 110  # characters of a line of the verdict on a terminal


def print_start(parts: Parts) -> None:
    """Prints the first line of a run: data, network, device, precision."""
    data, cfg = parts.data, parts.run.cfg
    said = [
        data_in_words(data),
        type(parts.module.network).__name__,
        f"{device_name(parts.trainer)}, {cfg.trainer.precision}",
        *([f"{data.num_workers} workers"] if cfg.data.get("num_workers") == "auto" else []),
    ]
    say(BESIDE.join(said), beside_each_other(said, console.width) if console.is_terminal else None)
    if better := advice(parts.run, data):
        warn(better)
    for unused in of_switched_off(parts.run):
        warn(unused)


def of_switched_off(run: Run) -> list[str]:
    """A line for each typed setting of a callback that is switched off. `debug=OPTION` itself switches some off."""
    found = []
    for name, entry in (run.plain().get("callbacks") or {}).items():
        key, switch, off = f"callbacks.{name}.", f"callbacks.{name}.enabled", "off"
        if not entry or (typed(run, switch) and not entry["enabled"]):
            continue
        if run.job and not entry.get("in_sweeps", True):
            switch, off = f"callbacks.{name}.in_sweeps", "off in sweeps"
        elif entry.get("enabled", True) or typed(run, "debug"):
            continue
        if typed(run, switch):
            continue
        settings = [line for line in run.overrides if line.lstrip("+").startswith(key)]
        found += [f"{line} changes nothing: that callback is {off}; write {switch}=true too" for line in settings]
    return found


def data_in_words(data: DataModule) -> str:
    """`mnist: 55,000/5,000/10,000 images, 10 classes`: the sizes of training, validation and test, and the fold."""
    word = "labels" if data.task == "multilabel" else "classes"
    classes = f", {len(data.class_names):,} {word}" if data.class_names else ""
    folds, fold = getattr(data, "folds", None), getattr(data, "fold", 0)
    held_out = f", fold {fold} of {folds} held out" if folds else ""
    return f"{data.name}: {'/'.join(f'{size:,}' for size in data.sizes.values())} {data.kind}{classes}{held_out}"


def beside_each_other(words: Sequence[str], width: int) -> str:
    """Words in a line of `width` characters. What has no room there begins a new line."""
    lines = [words[0]]
    for word in words[1:]:
        if len(lines[-1]) + len(BESIDE) + len(word) <= width:
            lines[-1] += BESIDE + word
        else:
            lines.append(f"  {word}")
    return "\n".join(lines)


def print_end(run: Run, result: dict[str, Any], ended: str, best_epoch: int | None, takes_pictures: bool) -> None:
    """Prints the last lines of a run: the test metrics, how it ended, where its files are, and what to type next.

    Args:
        result: the content of `result.json`.
        ended: how the run ended, in one line.
        best_epoch: of the best checkpoint, from 1.
        takes_pictures: whether `predict.py` can use the network.
    """
    tested = {name: value for name, value in result["metrics"].items() if name.startswith("test/")}
    if tested:
        say(_test_table(tested, "best checkpoint" if result["best_checkpoint"] else "last weights"))
    elif best_epoch and (best := result["objective"]):
        say(f"best checkpoint: {best['name']} {number(best['value'])}, in epoch {best_epoch} of {result['epochs']}")
    say(ended)
    if run.job:  # the sweep prints a table of its jobs
        return
    folder = shown(run.folder)
    _say_verdict(result["diagnosis"])
    _say("run folder", folder)
    if result.get("report"):
        _say("one page", f"{folder}/report.png, report.html")
    if any(run.folder.glob("events.out.tfevents.*")):
        _say("curves", shlex.join(["tensorboard", "--logdir", str(folder)]))
    if best_or_last(run.folder) and takes_pictures:
        trusted = run.project.trusted if run.project else []
        packages = [name for name in to_be_trusted(run.plain()) if name not in trusted]
        trust = [f"trust=[{','.join(packages)}]"] if packages else []
        _say("use it", command("predict.py", f"ckpt={folder}", *trust, "input=IMAGE"))
    if result["status"] == "interrupted":
        _say("go on", command("train.py", f"resume={folder}"))


def print_layers(run: Run) -> None:
    """Prints the layers of the configured network, for the configured data, without training it.

    Raises:
        ConfigError: if a value is refused, or the network cannot take the data or the file of `model.weights`.
    """
    quieten()
    automatic = run.cfg.data.batch_size == "auto"
    run, data, module = assemble(run.settled(**{"data.batch_size": 1}) if automatic else run)
    if run.cfg.model.get("weights") and not run.resumed:  # published ones are not fetched only to be shown
        weights.load(run, module.network)
    make_unfreeze(run, module)  # the groups hold what is trained later
    say(f"{data.name}: {' x '.join(map(str, data.input_shape))}")
    say(summary_table(module.network, data.input_shape, max_depth=3))
    if table := groups_table(module):
        say(table)


def print_names(run: Run) -> None:
    """Prints the names of a registry that match `model.name`, one a line.

    Raises:
        ConfigError: if `model` is no registry, or no name matches.
    """
    registry = class_of(run.cfg, "model")
    if not (isinstance(registry, type) and issubclass(registry, Registered)):
        raise ConfigError("list=true lists the names of a registry: write model=torchvision or model=timm")
    pattern = str(run.cfg.model.name)
    try:
        names = registry.names(pattern if {"*", "?", "["} & set(pattern) else f"*{pattern}*")
    except ValueError as error:
        raise run.blame("model", error) from error
    if not names:
        raise ConfigError(f"model.name={pattern} matches none of {registry.registry}'s names")
    say("\n".join(names))


def device_name(trainer: lightning.Trainer) -> str:
    """The device or devices of a run, in words."""
    device = trainer.strategy.root_device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return name if trainer.world_size == 1 else f"{trainer.world_size} x {name}"


def _say(heading: str, text: object) -> None:
    say(f"{heading:<{HEADING}}{text}")


def _say_verdict(sentences: list[str]) -> None:
    width = min(WIDEST, console.width) if console.is_terminal else 2**16
    for count, sentence in enumerate(sentences):
        heading = "verdict" if count == 0 else ""
        filled = textwrap.fill(sentence, width, initial_indent=f"{heading:<{HEADING}}", subsequent_indent=" " * HEADING)
        say(Text(filled))


def _test_table(metrics: dict[str, float], weights: str) -> Table:
    table = Table(box=SIMPLE_HEAD)
    table.add_column(f"{weights}, test set")
    table.add_column("", justify="right")
    for name, value in metrics.items():
        table.add_row(name, number(value))
    return table
