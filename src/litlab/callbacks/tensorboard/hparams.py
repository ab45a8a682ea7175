"""The settings of a run: as text, and as a row of the table in which TensorBoard compares runs."""

from pathlib import Path
from typing import Any

import yaml
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams.api_pb2 import STATUS_FAILURE, STATUS_SUCCESS
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
from torch.utils.tensorboard.summary import hparams

from litlab.callbacks.find import callback_of
from litlab.callbacks.loggers.event_file import EventWriter
from litlab.callbacks.steering import Checkpoints, ExactResume, epoch_metrics
from litlab.callbacks.tensorboard.panel import Panel, View

MAIN = ("model", "data", "data.batch_size", "optimizer.lr")  # columns that are seen at once
GROUPS = ("model", "data", "loss", "optimizer", "scheduler")
FROM_DATA = ("data.batch_size", "data.augment", "data.train_limit", "data.balanced")  # the rest changes no numbers
FROM_TRAINER = ("max_epochs", "precision", "gradient_clip_val", "accumulate_grad_batches")


class ConfigText(Panel):
    """The resolved config as YAML, on the text tab."""

    def applies(self, view: View) -> bool:
        return bool(config_of(view))

    def begin(self, view: View) -> None:
        if not view.step:  # a resumed run has it already
            text = yaml.safe_dump(config_of(view), sort_keys=False, allow_unicode=True)
            markdown = "\n".join(f"    {line}" for line in text.splitlines())
            view.write(lambda writer: writer.add_text("config", markdown, 0))


class HParams(Panel):
    """The row of this run on the HParams tab: settings, and `result/...`: the metrics of the best checkpoint.

    Written into the run's own event file, so that the row has the name of the run's folder: of a sweep's job,
    its overrides.
    """

    def applies(self, view: View) -> bool:
        return bool(config_of(view))

    def finish(self, view: View) -> None:
        self._add_row(view)

    def diverge(self, view: View) -> None:
        self._add_row(view, STATUS_FAILURE)

    def _add_row(self, view: View, status: int = STATUS_SUCCESS) -> None:
        keeper = callback_of(view.trainer, Checkpoints)
        metrics = (keeper.best_metrics if keeper else {}) or epoch_metrics(view.trainer)
        results = {f"result/{name}": value for name, value in metrics.items()}
        columns = list(dict.fromkeys([*self._columns(view), *results]))

        def add(writer: EventWriter) -> None:
            for summary in row(settings(config_of(view)), columns, Path(writer.get_logdir()).name, status):
                writer.add_summary(summary)
            for name, value in results.items():
                writer.add_scalar(name, value, view.step)

        view.write(add)

    def _columns(self, view: View) -> list[str]:
        """What may be measured: the test is still to come, and a run that diverged may have no epoch."""
        config, meters = config_of(view), view.module.meters
        tests = [f"test/{name}" for name in meters["test"].names if config.get("test") and "test" in view.data.sizes]
        splits = [split for split in ("train", "val") if split in view.data.sizes]
        results = [f"result/{split}/{name}" for split in splits for name in meters[split].names]
        return sorted(results, key=lambda name: name != f"result/{config['objective']}") + tests


def row(chosen: dict[str, float | str], metrics: list[str], folder: str, status: int = STATUS_SUCCESS) -> list[Summary]:
    """The summaries that make a row of TensorBoard's table, of a run in a folder of this name that ended so.

    TensorBoard takes the columns from the first row, shows the first five settings, and sorts those before the others
    that are said to differ: here what a sweep's folder is named for, and `MAIN`.
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


def config_of(view: View) -> dict[str, Any]:
    """The composed config of the run; empty where it was not made from one."""
    found = (c.config for c in view.trainer.callbacks if isinstance(c, ExactResume))  # type: ignore[attr-defined]
    return next(found, None) or {}


def settings(config: dict[str, Any]) -> dict[str, float | str]:
    """What a user chooses between, flat: `model`, `optimizer.lr`, `data.batch_size`, ..."""
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
