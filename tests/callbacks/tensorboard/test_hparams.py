"""The settings of a run, as text and as a row of a table."""

import lightning
import pytest
import yaml
from tensorboard.plugins.hparams.metadata import SESSION_START_INFO_TAG
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from litlab.callbacks import ConfigText, HParams, TensorBoard
from litlab.callbacks.tensorboard import View
from litlab.modules import Classification
from litlab.networks import MLP


def test_the_config_as_text(quick_run, seen):
    (event,) = seen.Tensors("config/text_summary")
    text = event.tensor_proto.string_val[0].decode()
    shown = yaml.safe_load("\n".join(line.removeprefix("    ") for line in text.splitlines()))
    assert shown["seed"] == 1
    assert shown["data"]["_target_"] == "litlab.data.MNISTSample"


def test_the_row_of_the_hparams_table(quick_run, seen):
    content = seen.summary_metadata[SESSION_START_INFO_TAG].plugin_data.content
    row = HParamsPluginData.FromString(content).session_start_info.hparams
    assert row["optimizer.lr"].number_value == quick_run.result["config"]["optimizer.lr"]
    assert row["data.batch_size"].number_value == 64
    assert (row["model"].string_value, row["data"].string_value) == ("MnistCNN", "MNISTSample")
    assert row["seed"].number_value == 1
    for name, value in quick_run.result["metrics"].items():
        tag = name if name.startswith("test/") else f"result/{name}"
        (event,) = seen.Scalars(tag)
        assert event.value == pytest.approx(value)
    experiment = HParamsPluginData.FromString(seen.summary_metadata["_hparams_/experiment"].plugin_data.content)
    shown = [info.name.tag for info in experiment.experiment.metric_infos]
    assert shown[0] == "result/val/acc"
    assert "test/acc" in shown
    first = {info.name for info in experiment.experiment.hparam_infos if info.differs}
    assert first == {"model", "data", "data.batch_size", "optimizer.lr"}


def test_a_run_without_a_config_has_neither(tmp_path):
    """As in a notebook."""
    trainer = lightning.Trainer(logger=TensorBoard(tmp_path), accelerator="cpu", enable_progress_bar=False)
    trainer.datamodule = None
    view = View(trainer, Classification(MLP((1, 4, 4), 10), 10))
    assert not ConfigText().applies(view)
    assert not HParams().applies(view)
