"""The outputs of a network become predictions, for each task."""

import json
from types import SimpleNamespace

import pytest
import torch
from pictures import draw_landmarks
from PIL import Image
from predictions import evaluated

from litlab.checkpoint import Data
from litlab.prediction.predict import predictions_for
from litlab.prediction.tasks import TASKS
from litlab.prediction.write import csv_writer


def test_regression_gives_numbers_and_landmarks_give_points():
    data = Data("x", (1, 4, 4), 10, (), (5, 2), (0.0,), (1.0,))
    [result] = TASKS["Regression"](torch.tensor([[1.5, -2.0]]), data)
    assert result["values"] == {"values": [1.5, -2.0]}
    assert result["label"] == "1.5 -2"
    points = torch.rand(2, 5, 2)
    for outputs in (points, points.flatten(1)):
        results = TASKS["Landmarks"](outputs, data)
        assert torch.allclose(results[1]["points"].float(), points[1])
        assert len(results[1]["values"]["points"]) == 5


def test_a_label_with_a_tiny_threshold_has_a_probability_that_can_be_read():
    data = Data("x", (1, 4, 4), 3, ("cat", "dog", "emu"), (), (0.0,), (1.0,), thresholds=(4e-05, 0.5, 0.5))
    [result] = TASKS["Multilabel"](torch.tensor([[-10.0, 1.0, -12.0]]), data)
    assert result["columns"] == ["cat, dog", "4.54e-05, 0.7311", "emu 6.144e-06"]
    assert result["label"] == "cat 0.0045%, dog 73%"


def test_landmarks_are_in_pixels_too_as_the_file_of_labels_has_them(tmp_path):
    """A network that sees squares of 8 pixels places a landmark in a picture of 40 x 20."""

    class Middle(torch.nn.Module):
        def forward(self, images):
            return torch.tensor([[[0.5, 0.5], [0.1, 0.9]]]).expand(len(images), 2, 2)

    data = Data("x", (3, 8, 8), 10, (), (2, 2), (0.0,), (1.0,))
    trained = SimpleNamespace(network=Middle(), data=data, task="Regression", path="x")
    Image.new("RGB", (40, 20)).save(tmp_path / "a.png")
    [prediction] = predictions_for(trained, [str(tmp_path / "a.png")], torch.device("cpu"), 1, 0, False)
    assert prediction.columns[0] == "(20.0, 10.0) (4.0, 18.0)"
    with csv_writer(tmp_path / "p.csv", trained) as write:
        write(prediction)
    header, row = (tmp_path / "p.csv").read_text().splitlines()
    assert header == "file,points,pixels,inverted,error"
    assert row.split(",")[1:3] == ["0.5 0.5 0.1 0.9", "20.0 10.0 4.0 18.0"]


@pytest.mark.slow
def test_landmarks_from_training_to_a_picture(train_here, use, tmp_path):
    draw_landmarks(tmp_path, count=20)
    arguments = ["experiment=landmarks", "data.annotations=annotations.txt", "model=lenet5", "data.image_size=48"]
    done = train_here(*arguments, "trainer=cpu", "trainer.max_epochs=1")
    assert done.status == 0, done.err
    metrics = done.result["metrics"]
    use("ckpt=latest", "input=000.png")
    (row,) = json.loads((tmp_path / "predictions/predictions.json").read_text())
    assert torch.tensor(row["points"]).shape == (5, 2)
    with Image.open(tmp_path / "000.png") as picture:
        size = picture.size
    assert torch.allclose(torch.tensor(row["pixels"]), torch.tensor(row["points"]) * torch.tensor(size), atol=0.01)
    for split in ("val", "test"):
        use("ckpt=latest", f"evaluate={split}")
        assert evaluated(tmp_path / "evaluation")["metrics"] == {
            name: value for name, value in metrics.items() if name.startswith(split)
        }


def test_of_equal_probabilities_the_first_class_is_predicted_as_in_an_evaluation():
    data = Data("x", (1, 4, 4), 10, (), (), (0.0,), (1.0,))
    logits = torch.randint(0, 3, (200, 10), generator=torch.Generator().manual_seed(0)).float()
    results = TASKS["Classification"](logits, data)
    assert [result["values"]["class"] for result in results] == [str(best) for best in logits.argmax(1).tolist()]
