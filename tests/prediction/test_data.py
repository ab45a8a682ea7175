"""The data set on which a network is evaluated, in place of that of its training."""

import shutil
from dataclasses import replace

import pytest
from pictures import draw_folder
from scripts import asked

from litlab import checkpoint, data
from litlab.checkpoint import Data, Named
from litlab.errors import ConfigError
from litlab.prediction.data import data_module

SEEN = Data("pictures", (3, 16, 16), 2, ("blue", "red"), (), (0.5,) * 3, (0.5,) * 3, preprocess={"resizer": "torch"})


@pytest.fixture
def sets(tmp_path, monkeypatch):
    """Twenty pictures as each of three data sets: the class, and its own arguments in a record."""
    folder = draw_folder(tmp_path / "pictures")
    lines = [f"{path.relative_to(folder)},{path.parent.name}" for path in sorted(folder.glob("*/*"))]
    (folder / "labels.csv").write_text("\n".join(["file,label", *lines]))
    shutil.copy(folder / "labels.csv", folder / "hub.csv")
    monkeypatch.setattr("litlab.data.huggingface.picture_files", lambda *_: folder / "hub.csv")
    hub = {"name": "a/b", "data_dir": "data", "subset": None, "revision": "v1", "image": None, "label": "label"}
    return {
        "image_folder": (data.ImageFolder, {"data_dir": str(folder)}),
        "csv": (
            data.LabelFile,
            {"file": str(folder / "labels.csv"), "data_dir": None, "label_separator": ";", "multilabel": None},
        ),
        "huggingface": (data.HuggingFace, {**hub, "multilabel": None}),
    }


@pytest.mark.parametrize("then", ["image_folder", "csv", "huggingface"])
@pytest.mark.parametrize("now", ["image_folder", "csv", "huggingface"])
@pytest.mark.parametrize("task", ["Classification", "Multilabel"])
def test_settings_of_the_training_that_the_chosen_data_do_not_have_are_left_out(best, sets, then, now, task):
    kind, args = sets[then]
    source = Named(f"{kind.__module__}.{kind.__name__}", {**args, "image_size": 16, "val_size": 0.2, "seed": 3})
    trained = replace(checkpoint.load(best), source=source, data=SEEN, task=task)
    kind, args = sets[now]
    typed = [f"data.{key}={value}" for key, value in args.items() if key in ("data_dir", "file", "name") and value]
    run = asked("evaluate=val", f"data={now}", *typed, "data.num_workers=0", script="predict")
    if (now, task) == ("image_folder", "Multilabel"):
        with pytest.raises(
            ConfigError, match=r"^data=image_folder is classification, and the network was trained as a "
        ):
            data_module(trained, run)
        return
    chosen, read_only = data_module(trained, run)
    assert (type(chosen), read_only) == (kind, False)
    assert chosen.task == task.lower()
    assert chosen.input_shape == (3, 16, 16)
    chosen.setup()
    assert chosen.sizes == {"train": 16, "val": 4}
