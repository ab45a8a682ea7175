"""Records that are broken, or cannot be true: each is one line."""

import json

import pytest
import torch
from checkpoints import refused
from PIL import Image

from litlab import checkpoint


@pytest.mark.parametrize("key", ["format", "network", "task", "loss", "data", "source", "numerics", "metrics"])
@pytest.mark.parametrize("value", [None, 7, "text", [], {}, torch.ones(1)], ids=lambda value: type(value).__name__)
def test_a_record_with_a_wrong_part(write, key, value):
    if key == "metrics" and value == {}:
        return
    refused(write(**{key: value}))


@pytest.mark.parametrize("key", ["format", "network", "task", "loss", "data", "source", "numerics", "metrics"])
def test_a_record_that_lacks_a_part(tmp_path, record, weights, key):
    path = tmp_path / "x.ckpt"
    torch.save({"state_dict": weights, "litlab": {k: v for k, v in record.items() if k != key}}, path)
    assert key in refused(path)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("input_shape", [1]),
        ("input_shape", [1, 28]),
        ("input_shape", [1, 0, 28]),
        ("input_shape", [-1, -28, 28]),
        ("input_shape", [1, 2**20, 2**20]),
        ("input_shape", [1.0, 28.0, 28.0]),
        ("input_shape", [3, 28, 28]),
        ("num_classes", 0),
        ("num_classes", 11),
        ("class_names", ["a"]),
        ("class_names", [*"012345678", "\x1b[2J"]),
        ("class_names", [*"012345678", "a\u2028b"]),
        ("class_names", [*"012345678", "\udcff"]),
        ("class_names", list(range(10))),
        ("mean", [0.1, 0.2]),
        ("mean", [float("inf")]),
        ("std", [0.0]),
        ("std", ["1"]),
        ("background", 300),
        ("name", "../../etc\n"),
        ("preprocess", [1]),
    ],
)
def test_data_that_cannot_be(write, record, key, value):
    refused(write(data={**record["data"], key: value}))


def test_a_class_in_any_script_is_printed_as_it_is(write, record, weights, use, tmp_path, capsys):
    names = [*"01234567", "कष\u200d\u200cम\u00a0न", "left\u202eright"]
    *_, last = weights
    write({**weights, last: 10 * torch.arange(10.0)}, data={**record["data"], "class_names": names})
    Image.new("L", (28, 28)).save(tmp_path / "a.png")
    use("ckpt=x.ckpt", "input=a.png")
    use("ckpt=x.ckpt", "input=a.png", "quiet=true")
    out = capsys.readouterr().out
    assert names[8] in out
    assert out.count(r"left\u202eright") == 2
    assert "\u202e" not in out
    [answer] = json.loads((tmp_path / "predictions/predictions.json").read_text())
    assert list(answer["probabilities"]) == names


def test_other_files(tmp_path, weights):
    path = tmp_path / "x.ckpt"
    for content, words in (
        ({"state_dict": weights}, "model.weights="),
        (weights, "model.weights="),
        ({"state_dict": weights, "pytorch-lightning_version": "2.5.0"}, "Lightning's that litlab did not write"),
        ([1, 2], "not a checkpoint"),
        (torch.ones(2), "not a checkpoint"),
        (3, "not a checkpoint"),
    ):
        torch.save(content, path)
        assert words in refused(path)
    with pytest.raises(FileNotFoundError, match="no such checkpoint"):
        checkpoint.load(tmp_path / "none.ckpt")


def test_metrics_that_are_nan_are_left_out(write):
    """An earlier litlab wrote them: the R2 of one target."""
    metrics = {"val/mse": 0.5, "val/r2": float("nan")}
    assert checkpoint.load(write(metrics=metrics)).metrics == {"val/mse": 0.5}
