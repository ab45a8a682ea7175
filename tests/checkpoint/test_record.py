import json

import pytest
import torch

from litlab.checkpoint import record_of


def test_checkpoints_hold_tensors_and_plain_data_only(quick_run):
    for name in ("best", "last"):
        checkpoint = torch.load(quick_run.runs[0] / f"checkpoints/{name}.ckpt", weights_only=True)
        record = checkpoint["litlab"]
        assert record["network"] == {
            "name": "litlab.networks.MnistCNN",
            "args": {"input_shape": [1, 28, 28], "num_classes": 10},
        }
        assert record["data"]["class_names"] == list("0123456789")
        assert record["data"]["mean"] == [pytest.approx(0.1307)]
        assert record["metrics"]["val/acc"] > 0.5
        assert str(quick_run.folder) not in json.dumps(record)


def test_what_is_no_argument_of_a_class_is_not_recorded_as_one():
    config = {
        "model": {
            "_target_": "litlab.networks.MLP",
            "hidden": [4],
            "weights": None,
            "pretrained": False,
            "compile": True,
        },
        "loss": {"_target_": "torch.nn.MSELoss"},
        "data": {"_target_": "litlab.data.MNIST", "_convert_": "all", "val_size": 10},
        "trainer": {"precision": "32-true", "log_every_n_steps": 50, "max_epochs": 3},
    }
    record = record_of(config, {"name": "mnist"}, "Classification", (1, 28, 28), 10)
    assert record["network"] == {
        "name": "litlab.networks.MLP",
        "args": {"hidden": [4], "input_shape": [1, 28, 28], "num_classes": 10},
    }
    assert record["loss"] == {"name": "torch.nn.MSELoss", "args": {}}
    assert record["source"] == {"name": "litlab.data.MNIST", "args": {"val_size": 10}}
    assert record["numerics"] == {"precision": "32-true", "log_every_n_steps": 50}
    assert record["config"] == config
