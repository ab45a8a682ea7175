"""The outputs of a network become predictions, for each task."""

import json

import pytest
import torch
from pictures import draw_landmarks
from predictions import evaluated

from litlab.checkpoint import Data
from litlab.prediction.tasks import TASKS


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
    for split in ("val", "test"):
        use("ckpt=latest", f"evaluate={split}")
        assert evaluated(tmp_path / "evaluation")["metrics"] == {
            name: value for name, value in metrics.items() if name.startswith(split)
        }
