"""From a checkpoint to a network that is ready to use."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from torch import nn

from litlab.checkpoint.archive import read
from litlab.checkpoint.parse import added_of, checked_record, data_of, entry, named_class
from litlab.checkpoint.plain import NotAllowed, excerpt
from litlab.checkpoint.rebuild import rebuild
from litlab.checkpoint.record import TASKS, Data, Named
from litlab.checkpoint.weights import thresholds_of, weights_of
from litlab.runs import finite


@dataclass(frozen=True)
class Trained:
    """A network that is ready to use, and what its checkpoint says about it.

    Args:
        path: the file of the checkpoint.
        network: on the CPU, in evaluation mode.
        architecture: the class of the network.
        task: the class name of litlab's LightningModule.
        loss: its class.
        data: what the network was trained on.
        source: the class of the data set.
        metrics: of the epoch in which the checkpoint was saved.
        precision: with which it was trained.
        log_every_n_steps: as in training.
        own_task: the class of the LightningModule, if it is the user's own.
        added: the classes of the metrics beside those of the task, by name.
        trust: packages that may define the network, the loss and the metrics, beside litlab's own and torch's.
    """

    path: Path
    network: nn.Module
    architecture: Named
    task: str
    loss: Named
    data: Data
    source: Named
    metrics: dict[str, float]
    precision: str
    log_every_n_steps: int
    own_task: Named | None = None
    added: dict[str, Named] = field(default_factory=dict)
    trust: tuple[str, ...] = ()


def load(path: str | Path, trust: Sequence[str] = ()) -> Trained:
    """Reads a checkpoint that litlab wrote, and rebuilds its network. Only allowed classes are built.

    Args:
        path: the file.
        trust: packages that may define the network, beside litlab's own, torch.nn and torchvision.models.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: naming the file and what is wrong with it, in one line.
    """
    checkpoint = read(path)
    try:
        record, source = checked_record(checkpoint)
        data = data_of(record)
        architecture = named_class(record, "network")
        network = rebuild(architecture, weights_of(checkpoint), data, trust)
        numerics = entry(record, "numerics", dict)
        task = entry(record, "task", str)
        if task not in TASKS:
            raise NotAllowed(f"its task is {excerpt(task)}, not one of {', '.join(TASKS)}")
        if task == "Multilabel":
            data = replace(data, thresholds=thresholds_of(checkpoint, data.num_classes))
        return Trained(
            path=Path(path),
            network=network,
            architecture=architecture,
            task=task,
            loss=named_class(record, "loss"),
            data=data,
            source=source,
            metrics=finite(entry(record, "metrics", dict)),
            precision=entry(numerics, "precision", str),
            log_every_n_steps=max(1, entry(numerics, "log_every_n_steps", int)),
            own_task=named_class(record, "own_task") if "own_task" in record else None,
            added=added_of(record),
            trust=tuple(trust),
        )
    except NotAllowed as error:
        raise ValueError(f"{path}: {error}") from None
