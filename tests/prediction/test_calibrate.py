"""`calibrate=true`, and the reliability diagram of an evaluation."""

import json
import math

import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from predictions import evaluated
from torchmetrics.functional.classification import multiclass_calibration_error

from litlab import checkpoint
from litlab.data import MNISTSample
from litlab.errors import ConfigError
from litlab.prediction.calibrate import LEAST, MOST, Calibrated, _end_of_search, best_temperature
from litlab.prediction.reliability import Reliability


def outputs_of(best, split):
    """Logits and labels of a split, computed without litlab's evaluation."""
    trained, data = checkpoint.load(best), MNISTSample(seed=1)  # the seed of that run
    data.setup()
    images = data.val_set if split == "val" else data.test_set
    pixels, labels = images.__getitems__(list(range(len(images))))
    return trained.network(data.normalize(pixels)).detach().double(), labels


@pytest.mark.slow
def test_the_temperature_has_the_smallest_loss_on_validation(best, use, tmp_path, capsys):
    use(f"ckpt={best}", "evaluate=test", "calibrate=true", "output=cool", "trainer.precision=32-true")
    use(f"ckpt={best}", "evaluate=test", "output=plain", "trainer.precision=32-true")
    cool, plain = evaluated(tmp_path / "cool"), evaluated(tmp_path / "plain")
    found, (logits, labels) = cool["temperature"], outputs_of(best, "val")
    losses = {factor: F.cross_entropy(logits / (found * factor), labels).item() for factor in (0.95, 1.0, 1.05)}
    assert min(losses, key=losses.get) == 1.0
    logits, labels = outputs_of(best, "test")
    assert cool["metrics"]["test/loss"] == pytest.approx(F.cross_entropy(logits / found, labels).item(), abs=1e-5)
    assert cool["metrics"]["test/acc"] == plain["metrics"]["test/acc"]
    expected = multiclass_calibration_error(logits / found, labels, 10, n_bins=15).item()
    assert cool["expected_calibration_error"] == pytest.approx(expected, abs=1e-5)
    assert "temperature" not in plain
    assert f"temperature {found:.4g}, fitted on 500 val images of mnist_sample: " in capsys.readouterr().out


def test_logits_that_are_three_times_too_large_have_temperature_three():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(20_000, 5, generator=generator, dtype=torch.float64)
    targets = torch.multinomial(logits.softmax(1), 1, generator=generator).flatten()
    assert best_temperature(3 * logits, targets) == pytest.approx(3, rel=0.05)
    assert best_temperature(logits, targets) == pytest.approx(1, rel=0.05)
    assert best_temperature(logits, logits.argmax(1)) == pytest.approx(LEAST, rel=0.01)  # all right: as sure as may be


def test_no_answer_changes_in_few_bits():
    """Pairs of logits that differ by one bit of a bfloat16: divided as such, some would be equal."""
    lower = torch.arange(1, 3, 1 / 128).bfloat16()
    logits = torch.stack([lower, torch.nextafter(lower, torch.tensor(9.0).bfloat16())], 1)
    for temperature in (0.05, 1.225, 3.0):
        assert Calibrated(torch.nn.Identity(), temperature)(logits).argmax(1).tolist() == [1] * len(logits)


def test_a_temperature_at_the_end_of_the_search_is_told():
    few = "val images are wrong, too few to fit it; hold out more with data.val_size, or leave calibrate=true out"
    assert _end_of_search(LEAST * 1.00001, 1, 19) == f"temperature 0.05 means little: 1 of 19 {few}"
    assert _end_of_search(2.7, 0, 19) == f"temperature 2.7 means little: 0 of 19 {few}"
    highest = "temperature 20 is the highest that is tried: 1,500 of 2,000 val images are wrong"
    assert _end_of_search(MOST, 1_500, 2_000) == highest
    assert _end_of_search(1.2, 3, 19) == ""


@pytest.mark.slow
def test_predictions_and_an_export_are_as_sure_as_the_evaluation(best, digits, use, tmp_path, capsys):
    folder, _ = digits
    use(f"ckpt={best}", f"input={folder}", "output=plain", "invert=false")
    use(f"ckpt={best}", f"input={folder}", "output=cool", "invert=false", "calibrate=true")
    plain, cool = (json.loads((tmp_path / name / "predictions.json").read_text()) for name in ("plain", "cool"))
    use(f"ckpt={best}", "export=torch_export", "calibrate=true")
    exported = torch.export.load(tmp_path / "export/model.pt2").module()
    network, pixels = checkpoint.load(best).network, torch.rand(3, 1, 28, 28)
    ratio = network(pixels) / exported(pixels)
    temperature = ratio.mean().item()
    torch.testing.assert_close(ratio, torch.full_like(ratio, temperature), rtol=1e-3, atol=0)
    assert not math.isclose(temperature, 1, rel_tol=1e-3)
    for before, after in zip(plain, cool, strict=True):
        assert before["class"] == after["class"]
        logits = torch.tensor(list(before["probabilities"].values()), dtype=torch.float64).clamp_min(1e-9).log()
        expected = (logits / temperature).softmax(0).max().item()
        assert after["probability"] == pytest.approx(expected, abs=1e-3)


def test_a_prediction_may_say_where_the_validation_images_are(best, digits, use, tmp_path):
    use(f"ckpt={best}", f"input={digits[0]}", "calibrate=true", "data.val_size=200", "output=out")
    assert (tmp_path / "out/predictions.csv").exists()
    with pytest.raises(ConfigError, match="data.val_size=200: input does not read it"):
        use(f"ckpt={best}", f"input={digits[0]}", "data.val_size=200")


def test_one_word_for_a_shell_stays_one_line(best, digits, use, capsys):
    use(f"ckpt={best}", f"input={next(digits[0].iterdir())}", "quiet=true", "calibrate=true")
    assert len(capsys.readouterr().out.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["evaluate=val"],
            r"calibrate=true is fitted on val: measure it on other images, with evaluate=test \(of your own pictures",
        ),
        (["export=state_dict"], "calibrate=true: export=state_dict has no room for it"),
        (["evaluate=test", "trainer=ddp_cpu"], "calibrate=true: only on one device; write trainer.devices=1"),
    ],
)
def test_what_a_temperature_does_not_suit_is_refused(best, use, tmp_path, arguments, message):
    with pytest.raises(ConfigError, match=message):
        use(f"ckpt={best}", "calibrate=true", *arguments)
    assert not (tmp_path / "export").exists()
    assert not (tmp_path / "evaluation").exists()


def test_a_word_that_is_neither_true_nor_false_is_refused(best, use):
    with pytest.raises(ConfigError, match="^calibrate=maybe: must be true or false"):
        use(f"ckpt={best}", "calibrate=maybe", "evaluate=test")


def test_reliability_counts_what_the_calibration_error_is_made_of(best, use, tmp_path):
    logits, labels = outputs_of(best, "test")
    metric = Reliability()
    for part, targets in zip(logits.split(300), labels.split(300), strict=True):
        metric.update(part, targets)
    count, sure, right = metric.compute().unbind(1)
    expected = multiclass_calibration_error(logits, labels, 10, n_bins=15).item()
    assert ((sure - right).abs().sum() / count.sum()).item() == pytest.approx(expected, abs=1e-5)
    assert right.sum() == (logits.argmax(1) == labels).sum()
    use(f"ckpt={best}", "evaluate=test", "trainer.precision=32-true")
    rows = evaluated(tmp_path / "evaluation")["reliability"]
    assert [row["images"] for row in rows] == count.int().tolist()
    assert [row["right"] * row["images"] for row in rows] == pytest.approx(right.tolist(), abs=1e-2)
    with Image.open(tmp_path / "evaluation/reliability.png") as picture:
        assert min(picture.size) > 600


def test_a_sheet_of_mistakes_of_an_earlier_evaluation_does_not_stay(best, use, tmp_path, capsys):
    """Six images, of which all are right."""
    use(f"ckpt={best}", "evaluate=test")
    assert (tmp_path / "evaluation/most_wrong.png").exists()
    use(f"ckpt={best}", "evaluate=val", "data.val_size=1")
    assert not (tmp_path / "evaluation/most_wrong.png").exists()
    assert capsys.readouterr().out.splitlines()[-1].endswith("confusion_matrix.png, reliability.png")
