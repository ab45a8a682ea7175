"""Own data sets that are derived from `DataModule` alone."""

import json
import re

import own_data
import pytest
import torch
from PIL import Image

SMALL = ["model=mlp", "model.hidden=[8]", "trainer=cpu", "trainer.max_epochs=2", "callbacks.report.enabled=false"]


@pytest.fixture
def train_on(train_here, tmp_path):
    """Trains on a data set of `own_data`, in the folder `run`."""

    def train(data: str, *overrides: str):
        configs = tmp_path / "conf/data"
        configs.mkdir(parents=True)
        settings = f"_target_: own_data.{data}\nbatch_size: 16\nbalanced: false\ntrain_limit: null\nseed: ${{seed}}\n"
        (configs / "mine.yaml").write_text(settings)
        task = [] if issubclass(getattr(own_data, data), own_data.TwoClasses) else ["loss=mse", "objective=val/mse"]
        return train_here("--config-dir=conf", "data=mine", "name=run", *SMALL, *task, *overrides)

    return train


@pytest.mark.parametrize("data", ["Bright", "Bytes"])
def test_a_picture_is_predicted_as_in_the_training(train_on, use, tmp_path, data):
    done = train_on(data)
    assert done.status == 0, done.err
    assert "bright: 40/20 images" in done.out
    (run,) = done.runs
    measured = json.loads((run / "result.json").read_text())["metrics"]["val/mae"]
    images, brightness = own_data.Bright().images()[40:], own_data.Bright().brightness()[40:]
    (tmp_path / "pictures").mkdir()
    for number, image in enumerate(images):
        Image.fromarray((image[0] * 255).to(torch.uint8).numpy()).save(tmp_path / f"pictures/{number:02}.png")
    use(f"ckpt={run}/checkpoints/last.ckpt", "input=pictures", "trust=own_data")
    found = json.loads((tmp_path / "predictions/predictions.json").read_text())
    predicted = torch.tensor([row["values"] for row in found])
    # Pixels of 8 bits, and the weights of the last epoch.
    assert (predicted - brightness).abs().mean().item() == pytest.approx(measured, rel=0.02)


def test_items_are_made_batches_of_32_bits_and_limited(train_on):
    done = train_on("Listed", "data.train_limit=30")
    assert done.status == 0, done.err
    assert "bright: 30/60 images" in done.out


def test_classes_are_drawn_equally_often_and_wrong_images_shown(train_on, use, tmp_path):
    done = train_on("TwoClasses", "data.balanced=true", "callbacks.report.enabled=true")
    assert done.status == 0, done.err
    assert "warning" not in done.err
    assert (done.runs[0] / "report.png").exists()
    use(f"ckpt={done.runs[0]}", "evaluate=val", "trust=own_data")
    assert (tmp_path / "evaluation/most_wrong.png").exists()


def test_images_of_an_unknown_range_are_trained_on_and_the_end_is_said(train_on):
    done = train_on("Normalised")
    assert done.status == 0, done.err
    assert "data=mine: has no mean and std, so predict.py cannot use its checkpoints" in done.err


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (
            "NotNormalised",
            r"has mean and std, but its images, from \S+ to \S+, are not normalised by them; return uint8",
        ),
        ("TwoMeans", "mean and std must have 1 values each, one a channel"),
        ("Triples", r"train_set must return inputs and targets, two tensors, and not 3 parts"),
        ("OtherSizes", r"no batch can be made of train_set: stack expects each tensor to be equal size"),
        ("OtherShape", r"input_shape is \[1, 6, 6\], and an input is float32 \[3, 6, 6\]"),
        ("WholeNumbers", r"inputs must be float32, or uint8 if they are images, not int64 \[60, 1, 6, 6\]"),
        ("FlatTargets", r"targets must be float32 \[60, 1\], not float32 \[60\]"),
        ("WholeTargets", r"targets must be float32 \[60, 1\], not int64 \[60, 1\]"),
        ("NoTargetShape", r"target_shape must be the shape of one target, such as \(1,\)"),
        ("ThreeLabels", r"targets must be from 0 to 1, as there are 2 class_names, not from 0 to 2"),
        ("Crashing", r"KeyError: 'nothing' \(.*own_data\.py, line \d+\)"),
        ("NothingSet", r"its setup must set self\.train_set"),
        ("NoValidation", r"its setup sets no self\.val_set: write val_size = 0 in the class"),
        ("NotSaid", r"its setup sets self\.val_set: leave out val_size = 0 in the class"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_no_folder(train_on, tmp_path, data, said):
    done = train_on(data, *(["objective=train/mse"] if data == "NotSaid" else []))
    assert (done.status, done.err.count("\n")) == (2, 1), done.err
    assert re.search(rf"^error: data=mine: {said}", done.err), done.err
    assert not (tmp_path / "runs").exists()
