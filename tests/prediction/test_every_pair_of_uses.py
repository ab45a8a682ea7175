"""Settings of `predict.py` go together, and with those of the training: each pair is in a run. What it predicts of the
validation pictures is what it measures on them, and what the exported file gives."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from pairwise import runs_with_every_pair, typed
from pictures import draw_folder, draw_labels, draw_landmarks
from PIL import Image
from predictions import evaluated
from recorded_runs import record_run, train_recorded

from litlab import checkpoint
from litlab.data import Normalize, fit

pytestmark = pytest.mark.slow

SMALL = [
    *("data.image_size=16", "data.batch_size=8", "trainer=cpu", "trainer.max_epochs=2", "data.val_size=15"),
    *("callbacks.model_summary.enabled=false", "callbacks.report.enabled=false"),
    *("data.test_size=15", "test=false", "data.num_workers=0", "optimizer.lr=0.01", "logger=csv"),
]
COUNT = 60  # pictures

CLASSES, SEVERAL, POINTS = "data=image_folder", "data=csv loss=bce_with_logits", "data=landmarks loss=mse"
MLP, VIT = "model=mlp model.hidden=[8]", "model=vit model.depth=1 model.width=12"
SIZES = ["data.center_crop=false", "data.interpolation=bicubic", "data.random_crop=true data.resize=20"]

VIEWS = ["tta=flip", "tta=flip_shift", "tta=five_crop"]
EXPORTS = ["onnx", "onnx with pixels", "torch_export", "torch_export with pixels", "state_dict", "safetensors"]

TRAINED = {
    "task": [CLASSES, SEVERAL, POINTS],
    "network": [MLP, "model=mnist_cnn", VIT],
    "resized": ["-", "data.resizer=pillow", *SIZES],
    "coloured": ["-", "data.grayscale=true"],
    "normalized": ["-", "data.normalize=false"],
    "averaged": ["-", "ema=0.9", "swa=0.5"],
    "precision": ["-", "trainer.precision=bf16-mixed", "trainer.precision=bf16-true", "trainer.precision=64-true"],
}
USED = {
    "read": ["-", "batch_size=1", "num_workers=1 batch_size=4"],
    "views": ["-", *VIEWS],
    "calibrated": ["-", "calibrate=true"],
    "explained": ["-", "explain=gradcam"],
    "exported": ["-", *EXPORTS],
}

# Pairs that are refused, each in a line of its own test.
REFUSED = [
    (POINTS, [*SIZES, *VIEWS, "calibrate=true", "explain=gradcam"]),
    (SEVERAL, ["calibrate=true"]),
    ("explain=gradcam", [MLP, VIT, *VIEWS]),
    ("calibrate=true", ["state_dict", "safetensors"]),
    *((views, EXPORTS) for views in VIEWS),
    ("ema=0.9", ["trainer.precision=bf16-true", "trainer.precision=64-true"]),
    ("swa=0.5", ["trainer.precision=bf16-true", "trainer.precision=64-true"]),
]

RUNS = runs_with_every_pair(TRAINED | USED, REFUSED)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """For each task, the settings that name its data, the folder of its pictures, and the target of each file."""
    folder = tmp_path_factory.mktemp("data")
    classes = draw_folder(folder / "classes", COUNT // 3, ("blue", "red", "grey"))
    labels = {f"{n}.png": ("red", "green;blue", "", "red;blue")[n % 4] for n in range(COUNT)}
    rows = "".join(f"{file},{names}\n" for file, names in labels.items())
    several, points = draw_labels(folder / "labels", f"file,label\n{rows}"), draw_landmarks(folder / "faces", COUNT)
    landmarks = {}
    for line in points.read_text().splitlines():
        file, *of_file = line.split("\t")
        landmarks[file] = np.array(of_file, float).reshape(5, 2)
    return {
        CLASSES: ([f"data.data_dir={classes}"], classes, None),
        SEVERAL: ([f"data.file={several}", "objective=val/map"], several.parent, labels),
        POINTS: ([f"data.annotations={points}", "objective=val/mse"], points.parent, landmarks),
    }


def metrics_of_classes(predicted, _):
    """The metrics of an evaluation, from the predictions for each picture."""
    truth = [Path(item["file"]).parent.name for item in predicted]
    of_truth = [item["probabilities"][name] for item, name in zip(predicted, truth, strict=True)]
    right = [item["class"] == name for item, name in zip(predicted, truth, strict=True)]
    return {"acc": np.mean(right), "loss": -np.log(of_truth).mean()}


def metrics_of_labels(predicted, labels):
    losses = []
    for item in predicted:
        names = labels[Path(item["file"]).name].split(";")
        losses += [-np.log(p if name in names else 1 - p) for name, p in item["probabilities"].items()]
    return {"loss": np.mean(losses)}


def metrics_of_points(predicted, points):
    errors = []
    for item in predicted:
        truth = points[Path(item["file"]).name] / np.array(Image.open(item["file"]).size)
        errors.append((np.array(item["points"]) - truth) ** 2)
    return {"mse": np.mean(errors)}


PLAIN = {"state_dict": "weights.pt", "safetensors": "weights.safetensors"}
OF_OUTPUTS = {
    CLASSES: lambda outputs: outputs.double().softmax(1),
    SEVERAL: lambda outputs: outputs.sigmoid(),
    POINTS: lambda outputs: outputs.reshape(len(outputs), -1, 2),
}
METRICS = {CLASSES: metrics_of_classes, SEVERAL: metrics_of_labels, POINTS: metrics_of_points}


def numbers(item):
    """What is predicted of a picture, as a list of numbers."""
    return list(item["probabilities"].values()) if "probabilities" in item else item["points"]


def exported(run, trained, use, tmp_path, files):
    """What the exported file says of pictures, each as `numbers`."""
    kind, *pixels = run["exported"].split(" with ")
    use(*trained, f"export={kind}", *(["export.include_preprocess=true"] if pixels else []))
    loaded = checkpoint.load(tmp_path / "run/checkpoints/best.ckpt")
    data, network = loaded.data, loaded.network
    opened = [Image.open(file).convert("L" if data.input_shape[0] == 1 else "RGB") for file in files]
    images = torch.stack([fit(image, data.input_shape, data.preprocess) for image in opened])
    images = images.float() if pixels else Normalize(data.mean, data.std)(images)
    if kind == "onnx":
        session = pytest.importorskip("onnxruntime").InferenceSession(tmp_path / "export/model.onnx")
        outputs = torch.from_numpy(session.run(["outputs"], {"images": images.numpy()})[0])
    elif kind == "torch_export":
        outputs = torch.export.load(tmp_path / "export/model.pt2").module()(images)
    else:
        weights = checkpoint.read_weights(tmp_path / "export" / PLAIN[kind])
        network.load_state_dict({name: torch.zeros_like(tensor) for name, tensor in network.state_dict().items()})
        network.load_state_dict(weights)
        outputs = network(images)
    return OF_OUTPUTS[run["task"]](outputs).tolist()


def settings(run, groups):
    return typed({group: run[group] for group in groups})


@pytest.mark.parametrize("number", range(len(RUNS)))
def test_what_is_predicted_is_what_is_measured_and_exported(tmp_path, use, data, number):
    run = RUNS[number]
    named, root, targets = data[run["task"]]
    folder = tmp_path / "run"
    record_run(folder, *settings(run, TRAINED), *named, base=SMALL)
    train_recorded(folder)
    with (folder / "splits.csv").open(newline="") as file:
        held_out = [root / row["file"] for row in csv.DictReader(file) if row["split"] == "test"]
    trained = [f"ckpt={folder}", *settings(run, ["views", "calibrated"])]
    maps = settings(run, ["explained"]) if run["task"] == CLASSES else []  # of several labels only for pictures
    use(*trained, *maps, "evaluate=test", "trainer.precision=32-true")
    use(*trained, *settings(run, ["explained", "read"]), f"input=[{','.join(map(str, held_out))}]")
    predicted = json.loads((tmp_path / "predictions/predictions.json").read_text())
    expected = METRICS[run["task"]](predicted, targets)
    measured = evaluated(tmp_path / "evaluation")["metrics"]
    assert {name: measured[f"test/{name}"] for name in expected} == pytest.approx(expected, rel=1e-4, abs=2e-6)
    if run["exported"] != "-":
        found = exported(run, trained, use, tmp_path, held_out)
        for one, other in zip(found, predicted, strict=True):
            np.testing.assert_allclose(one, numbers(other), atol=2e-6)
