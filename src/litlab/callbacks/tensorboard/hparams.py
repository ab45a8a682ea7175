"""The settings of a run: as text, and as a row of the table in which TensorBoard compares runs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams.api_pb2 import STATUS_FAILURE, STATUS_SUCCESS
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
from torch.utils.tensorboard.summary import hparams

from litlab.callbacks.find import callback_of
from litlab.callbacks.loggers.event_file import EventWriter
from litlab.callbacks.steering import Checkpoints, epoch_metrics
from litlab.callbacks.tensorboard.panel import Panel
from litlab.callbacks.tensorboard.view import View

MAIN = ("model", "data", "data.batch_size", "optimizer.lr")  # columns that are shown first
GROUPS = ("model", "data", "loss", "optimizer", "scheduler")
FROM_DATA = ("data.batch_size", "data.augment", "data.train_limit", "data.balanced")  # the others change no numbers
FROM_TRAINER = ("max_epochs", "precision", "gradient_clip_val", "accumulate_grad_batches")


class ConfigText(Panel):
    """The resolved config as YAML, on the text tab."""

    def applies(self, view: View) -> bool:
        return bool(view.config)

    def begin(self, view: View) -> None:
        if not view.step:  # a resumed run has it already
            dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # in C where libyaml is there: a tenth of the time
            text = yaml.dump(view.config, Dumper=dumper, sort_keys=False, allow_unicode=True)
            markdown = "\n".join(f"    {line}" for line in text.splitlines())
            view.write(lambda writer: writer.add_text("config", markdown, 0))


class HParams(Panel):
    """The row of this run on the HParams tab: its settings, and as `result/...` the metrics of its best checkpoint.

    The row is in the run's own event file. TensorBoard therefore calls it by the name of the run's folder; for a job of
    a sweep, these are its overrides.
    """

    def applies(self, view: View) -> bool:
        return bool(view.config)

    def finish(self, view: View) -> None:
        self._add_row(view)

    def diverge(self, view: View) -> None:
        self._add_row(view, STATUS_FAILURE)

    def _add_row(self, view: View, status: int = STATUS_SUCCESS) -> None:
        checkpoints = callback_of(view.trainer, Checkpoints)
        metrics = (checkpoints.best_metrics if checkpoints else {}) or epoch_metrics(view.trainer)
        results = {f"result/{name}": value for name, value in metrics.items()}
        columns = list(dict.fromkeys([*self._columns(view), *results]))

        def add(writer: EventWriter) -> None:
            for summary in row(settings(view.config), columns, Path(writer.get_logdir()).name, status):
                writer.add_summary(summary)
            for name, value in results.items():
                writer.add_scalar(name, value, view.step)

        view.write(add)

    def _columns(self, view: View) -> list[str]:
        """The names of all metrics. Some may have no value yet: the test comes later, and a run may have no epoch."""
        meters = view.module.meters
        tested = view.config.get("test") and "test" in view.data.sizes
        tests = [f"test/{name}" for name in meters["test"].names if tested]
        splits = [split for split in ("train", "val") if split in view.data.sizes]
        results = [f"result/{split}/{name}" for split in splits for name in meters[split].names]
        return sorted(results, key=lambda name: name != f"result/{view.config['objective']}") + tests


def row(chosen: dict[str, float | str], metrics: list[str], folder: str, status: int = STATUS_SUCCESS) -> list[Summary]:
    """The summaries that make a row of TensorBoard's table.

    TensorBoard takes the columns from the first row that it reads, and shows the first five settings. Those that are
    marked as different between runs come first: here `MAIN`, and what the folder of a sweep's job is named after.

    Args:
        chosen: the settings of the run.
        metrics: the names of its metrics.
        folder: the name of its folder.
        status: how it ended.
    """
    experiment, start, end = hparams(chosen, dict.fromkeys(metrics))
    content = experiment.value[0].metadata.plugin_data
    described = HParamsPluginData.FromString(content.content)
    for info in described.experiment.hparam_infos:
        info.differs = info.name in MAIN or f"{info.name}=" in folder
    content.content = described.SerializeToString()
    content = end.value[0].metadata.plugin_data
    ended = HParamsPluginData.FromString(content.content)
    ended.session_end_info.status = status
    content.content = ended.SerializeToString()
    return [experiment, start, end]


def settings(config: Mapping[str, Any]) -> dict[str, float | str]:
    """The settings that a user chooses between, flat: `model`, `optimizer.lr`, `data.batch_size`, ..."""
    flat: dict[str, Any] = {}
    for group in GROUPS:
        node = config.get(group) or {}
        flat[group] = str(node.get("_target_", "none")).rpartition(".")[2]
        for name, value in node.items():
            key = f"{group}.{name}"
            if not name.startswith("_") and (group != "data" or key in FROM_DATA):
                flat[key] = value
    flat |= {f"trainer.{name}": config["trainer"].get(name) for name in FROM_TRAINER}
    flat |= {name: config[name] for name in ("seed", "objective")}
    as_is = (int, float, str)
    return {
        key: value if isinstance(value, as_is) and not isinstance(value, bool) else str(value).lower()
        for key, value in flat.items()
        if value is not None
    }
