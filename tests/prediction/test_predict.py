"""`python predict.py input=...`: predictions in a terminal, in files and in exit statuses."""

import json
import resource
from pathlib import Path

import pytest
import torch
from PIL import Image
from predictions import rows

from litlab.checkpoint import FORMAT
from litlab.errors import ConfigError, RunFailed
from litlab.networks import MLP


def test_a_folder_of_digits_is_predicted(ckpt, digits, use, tmp_path, capsys):
    folder, names = digits
    use(ckpt, f"input={folder}")
    out = capsys.readouterr().out
    table = rows(tmp_path / "predictions")
    predictions = json.loads((tmp_path / "predictions/predictions.json").read_text())
    assert [Path(row["file"]).name for row in table] == list(names)
    assert sum(row["class"] == names[Path(row["file"]).name] for row in table) >= 10
    for row, prediction in zip(table, predictions, strict=True):
        assert prediction["file"] == row["file"]
        assert prediction["class"] == row["class"]
        assert list(prediction["probabilities"]) == list("0123456789")
        assert sum(prediction["probabilities"].values()) == pytest.approx(1, abs=1e-5)
        assert prediction["probability"] == max(prediction["probabilities"].values())
        assert float(row["p(3)"]) == prediction["probabilities"]["3"]
        assert f"{prediction['probability']:.4f}" in out
    assert "invert=auto: 0 of 12 pictures inverted (mnist_sample has a dark background)" in out
    with Image.open(tmp_path / "predictions/predictions.png") as sheet:
        assert min(sheet.size) > 200
    assert {path.name for path in tmp_path.iterdir()} == {"predictions"}


def test_if_no_file_can_be_read_the_exit_status_is_2_and_nothing_is_written(ckpt, use, tmp_path, capsys):
    (tmp_path / "a.png").touch()
    for more in ([], ["output=new/folder"]):
        with pytest.raises(RunFailed, match="^no file could be read$") as caught:
            use(ckpt, "input=[a.png,b.png]", *more)
        assert caught.value.status == 2
        out = capsys.readouterr().out
        assert "a.png  not read: empty" in out
        assert "b.png  not read: not there" in out
        assert "invert=auto" not in out
        assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
    (tmp_path / "predictions").mkdir()
    with pytest.raises(RunFailed, match="^no file could be read$"):
        use(ckpt, "input=a.png")
    assert (tmp_path / "predictions").is_dir()  # which was there before


def test_if_no_file_can_be_read_earlier_predictions_stay(ckpt, digits, use, tmp_path):
    use(ckpt, f"input={digits[0]}")
    before = {path.name: path.read_bytes() for path in (tmp_path / "predictions").iterdir()}
    (tmp_path / "a.png").touch()
    with pytest.raises(RunFailed, match="no file could be read; the predictions in predictions stay as they are"):
        use(ckpt, "input=a.png")
    assert {path.name: path.read_bytes() for path in (tmp_path / "predictions").iterdir()} == before


def test_workers_and_batches_change_nothing(ckpt, digits, use, tmp_path):
    use(ckpt, f"input={digits[0]}", "output=a", "num_workers=2", "batch_size=5")
    use(ckpt, f"input={digits[0]}", "output=b", "num_workers=0")
    one, two = (json.loads((tmp_path / name / "predictions.json").read_text()) for name in "ab")
    for a, b in zip(one, two, strict=True):
        assert a["file"] == b["file"]
        assert a["probability"] == pytest.approx(b["probability"], abs=2e-6)


def test_many_files_take_no_more_memory_than_one(use, tmp_path):
    """200 files of 0.9 MB each."""
    arguments = {"input_shape": [3, 64, 64], "num_classes": 2, "hidden": [8]}
    record = {
        "format": FORMAT,
        "network": {"name": "litlab.networks.MLP", "args": arguments},
        "task": "Classification",
        "loss": {"name": "torch.nn.CrossEntropyLoss", "args": {}},
        "data": {
            "name": "x", "input_shape": [3, 64, 64], "num_classes": 2, "class_names": ["a", "b"],
            "mean": [0.5] * 3, "std": [0.5] * 3, "background": None,
        },
        "source": {"name": "litlab.data.CIFAR10", "args": {}},
        "numerics": {"precision": "32-true", "log_every_n_steps": 50},
        "metrics": {},
    }  # fmt: skip
    weights = {f"network.{name}": value for name, value in MLP(**arguments).state_dict().items()}
    torch.save({"state_dict": weights, "litlab": record}, tmp_path / "x.ckpt")
    many = tmp_path / "many"
    many.mkdir()
    Image.new("RGB", (640, 480), "teal").save(tmp_path / "one.bmp")
    for index in range(200):
        (many / f"{index:05d}.bmp").hardlink_to(tmp_path / "one.bmp")
    use("ckpt=x.ckpt", "input=one.bmp", "num_workers=0")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    use("ckpt=x.ckpt", "input=many", "num_workers=0", "quiet=true")
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert len(rows(tmp_path / "predictions")) == 200
    assert grown < 60 * 1024  # KiB; the pictures have 176 MiB


def test_a_mistyped_input_overwrites_no_predictions(ckpt, digits, use, tmp_path):
    use(ckpt, f"input={digits[0]}/00_7.png")
    before = (tmp_path / "predictions/predictions.csv").read_bytes()
    with pytest.raises(ConfigError, match="^input=00_8.png: not there$"):
        use(ckpt, "input=00_8.png")
    assert (tmp_path / "predictions/predictions.csv").read_bytes() == before
