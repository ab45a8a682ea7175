"""`python predict.py evaluate=...`: the metrics of the training again, and more details."""

import csv
import json
import shutil
from pathlib import Path

import pytest
import torch
from pictures import draw_folder
from PIL import Image
from predictions import evaluated
from scripts import finish, start
from torchmetrics.functional.classification import multiclass_calibration_error, multiclass_f1_score

from litlab import checkpoint
from litlab.data import MNISTSample
from litlab.errors import ConfigError
from litlab.prediction.details import Details


@pytest.fixture(scope="module")
def outputs(quick_run):
    """Logits [1000, 10] and labels [1000] of the test set, computed without litlab's evaluation."""
    trained = checkpoint.load(quick_run.runs[0] / "checkpoints/best.ckpt")
    data = MNISTSample()
    data.setup()
    images, labels = data.test_set.images, data.test_set.labels
    return trained.network(data.normalize(images)), labels


def test_the_metrics_are_exactly_those_of_the_training(quick_run, best, use, tmp_path):
    metrics = quick_run.result["metrics"]
    for split in ("test", "val"):
        use(f"ckpt={best}", f"evaluate={split}")
        assert evaluated(tmp_path / "evaluation")["metrics"] == {
            f"{split}/loss": metrics[f"{split}/loss"],
            f"{split}/acc": metrics[f"{split}/acc"],
        }


def test_details_are_those_of_torchmetrics(best, use, tmp_path, outputs, capsys):
    use(f"ckpt={best}", "evaluate=test", "output=out", "trainer.precision=32-true")
    result, (logits, labels) = evaluated(tmp_path / "out"), outputs
    ece = multiclass_calibration_error(logits, labels, 10, n_bins=15)
    assert result["expected_calibration_error"] == pytest.approx(ece.item(), abs=1e-5)
    f1 = multiclass_f1_score(logits, labels, 10, average=None)
    assert [row["f1"] for row in result["classes"].values()] == pytest.approx(f1.tolist(), abs=1e-6)
    assert sum(row["images"] for row in result["classes"].values()) == result["images"] == 1000

    with (tmp_path / "out/confusion_matrix.csv").open(newline="") as file:
        header, *matrix = csv.reader(file)
    counts = torch.tensor([[int(cell) for cell in row[1:]] for row in matrix])
    assert header[1:] == list("0123456789")
    assert counts.sum() == 1000
    assert counts.diagonal().sum() == (logits.argmax(1) == labels).sum()
    assert counts[7].sum() == (labels == 7).sum()

    sure, predicted = logits.softmax(1).max(1)
    sure[predicted == labels] = -1
    order = sure.argsort(descending=True)[: len(result["most_wrong"])]
    assert [row["index"] for row in result["most_wrong"]] == order.tolist()
    assert [int(row["true"]) for row in result["most_wrong"]] == labels[order].tolist()
    for name in ("confusion_matrix.png", "most_wrong.png"):
        with Image.open(tmp_path / "out" / name) as picture:
            assert min(picture.size) > 300
    out = capsys.readouterr().out
    for words in ("mnist_sample, test", "1,000 images", "precision", "expected calibration error"):
        assert words in out


def test_no_picture_of_an_earlier_evaluation_stays(best, use, tmp_path, monkeypatch):
    use(f"ckpt={best}", "evaluate=test")
    folder = tmp_path / "evaluation"
    (folder / "own.png").touch()
    details = {"confusion_matrix.csv", "confusion_matrix.png", "reliability.png", "most_wrong.png"}
    assert {path.name for path in folder.iterdir()} == {"evaluation.json", "own.png", *details}
    monkeypatch.setattr("litlab.prediction.evaluate.details_of", lambda trained: None)  # as for a regression
    use(f"ckpt={best}", "evaluate=val")
    assert {path.name for path in folder.iterdir()} == {"evaluation.json", "own.png"}


def test_logits_between_0_and_1_are_not_taken_for_probabilities(best):
    outputs, labels = torch.rand(500, 10, generator=torch.Generator().manual_seed(0)), torch.arange(500) % 10
    metrics = Details(checkpoint.load(best).data).metrics
    metrics.update(outputs, labels)
    expected = multiclass_calibration_error(outputs.softmax(1), labels, 10, n_bins=15)
    torch.testing.assert_close(metrics.compute()["ece"], expected)
    assert expected < 0.1 < multiclass_calibration_error(outputs, labels, 10, n_bins=15)


@pytest.mark.slow
def test_the_training_split_has_every_image_once(best, use, tmp_path):
    use(f"ckpt={best}", "evaluate=train")
    result = evaluated(tmp_path / "evaluation")
    assert sum(row["images"] for row in result["classes"].values()) == 3500
    data = MNISTSample(seed=1)  # as that run split it
    data.setup()
    images, labels = data.train_set.__getitems__(list(range(3500)))
    correct = checkpoint.load(best).network(data.normalize(images)).argmax(1) == labels
    assert result["metrics"]["train/acc"] == pytest.approx(correct.float().mean().item(), abs=1e-6)


def test_the_data_of_the_training_have_its_split_also_by_their_name(best, use, tmp_path):
    found = []
    for named in ([], ["data=mnist_sample"], ["data=mnist_sample", "data.eval_batch_size=100"]):
        use(f"ckpt={best}", "evaluate=val", *named)  # that run has another seed than predict.py
        wrong = evaluated(tmp_path / "evaluation")["most_wrong"]
        found.append([(row["index"], row["true"], row["predicted"]) for row in wrong])
    assert found[0] == found[1] == found[2]


@pytest.mark.slow
def test_another_data_set_with_the_same_classes_is_evaluated(best, use, tmp_path):
    use(f"ckpt={best}", "evaluate=test", "data=mnist_sample", "data.val_size=100")
    assert evaluated(tmp_path / "evaluation")["images"] == 1000
    use(f"ckpt={best}", "evaluate=val", "data=mnist_sample", "data.val_size=100")
    assert evaluated(tmp_path / "evaluation")["images"] == 100


@pytest.mark.slow
def test_mistakes_name_their_files(train_here, use, tmp_path):
    """The pictures of the two classes are swapped after the training, so that all of them look like mistakes."""
    folder = draw_folder(tmp_path / "pictures", count=10)
    settings = ["data=image_folder", f"data.data_dir={folder}", "data.image_size=16", "data.num_workers=0"]
    more = [
        "trainer.max_epochs=5",
        "optimizer.lr=0.003",
        "logger=none",
        "callbacks.report.enabled=false",
        "trainer=cpu",
    ]
    done = train_here(*settings, "model=mnist_cnn", *more)
    assert done.status == 0, done.err
    (folder / "blue").rename(folder / "was_blue")
    (folder / "red").rename(folder / "blue")
    (folder / "was_blue").rename(folder / "red")
    use("ckpt=latest", "evaluate=train", *settings[:2], "data.num_workers=0", "explain=gradcam")
    wrong = evaluated(tmp_path / "evaluation")["most_wrong"]
    assert len(wrong) > 5
    assert all(Path(mistake["file"]).is_file() for mistake in wrong)
    assert all(Path(mistake["file"]).parent.name == mistake["true"] for mistake in wrong)


@pytest.mark.slow
def test_other_pictures_are_resized_as_in_training(train_here, use, tmp_path):
    folder = f"data.data_dir={draw_folder(tmp_path / 'pictures', count=10)}"
    quick = ["trainer=cpu", "model=mlp", "trainer.max_epochs=1", "logger=none", "callbacks.report.enabled=false"]
    chosen = ["data=image_folder", folder, "data.image_size=16", "data.num_workers=0"]
    for number, (special, otherwise) in enumerate(
        (("data.resize=40", "data.resize=16"), ("data.center_crop=false", "data.center_crop=true"))
    ):
        done = train_here(*chosen, special, *quick, "data.train_limit=8", f"hydra.run.dir={number}")
        assert done.status == 0, done.err
        loss = json.loads((tmp_path / f"{number}/result.json").read_text())["metrics"]["val/loss"]
        use(f"ckpt={number}", "evaluate=val", *chosen[:2], "data.num_workers=0")  # not the size: it is the training's
        result = evaluated(tmp_path / "evaluation")
        assert result["metrics"]["val/loss"] == loss
        use(f"ckpt={number}", "evaluate=val", *chosen, otherwise)
        assert evaluated(tmp_path / "evaluation")["metrics"]["val/loss"] != loss
    with pytest.raises(ConfigError, match="^evaluate=test: image_folder has no such split; there is: train, val$"):
        use("ckpt=0", "evaluate=test")
    with pytest.raises(ConfigError, match=r"has images \[3, 20, 20\]; the network was trained on \[3, 16, 16\]"):
        use("ckpt=0", "evaluate=val", *chosen, "data.image_size=20")


def test_the_checkpoint_that_was_chosen_is_named_first(best, use, capsys):
    use(f"ckpt={best.parents[1]}", "evaluate=val")
    assert capsys.readouterr().out.startswith(f"{best}: MnistCNN trained on mnist_sample (val/loss ")


def test_a_checkpoint_needs_no_other_file(best, use, tmp_path):
    shutil.copy(best, tmp_path / "alone.ckpt")
    use("ckpt=alone.ckpt", "evaluate=test")
    assert evaluated(tmp_path / "evaluation")["metrics"]["test/acc"] > 0.5


@pytest.mark.slow
def test_two_processes_evaluate_every_image_once(quick_run, best, use, tmp_path):
    use(f"ckpt={best}", "evaluate=test", "output=one")
    # 1,000 images are three batches of 333 and one of 1. Neither 333 nor 1 can be divided by two.
    arguments = ("evaluate=test", "trainer=ddp_cpu", "data.eval_batch_size=333", "output=two")
    done = finish(start("predict.py", f"ckpt={best}", *arguments, folder=tmp_path), tmp_path)
    assert done.status == 0, done.err
    one, two = evaluated(tmp_path / "one"), evaluated(tmp_path / "two")
    assert two["images"] == 1000
    assert two["classes"] == one["classes"]
    assert [w["index"] for w in two["most_wrong"]] == [w["index"] for w in one["most_wrong"]]
    assert two["metrics"]["test/acc"] == one["metrics"]["test/acc"]
    assert two["metrics"]["test/loss"] == pytest.approx(one["metrics"]["test/loss"], abs=1e-6)
    assert done.out.count("precision") == 1


def test_all_files_that_cannot_be_read_are_named_in_the_result(train_here, use, tmp_path):
    chosen = ["data=image_folder", "data.image_size=16", "data.num_workers=0"]
    folder = draw_folder(tmp_path / "pictures", count=10)
    small = ["model=mlp", "trainer=cpu", "trainer.max_epochs=1", "callbacks.report.enabled=false", "logger=none"]
    assert train_here(*chosen, f"data.data_dir={folder}", *small, "hydra.run.dir=run").status == 0
    others = draw_folder(tmp_path / "others", count=20)
    bad = sorted(others.glob("red/00*"))[:7]
    for path in bad:
        path.write_bytes(b"no picture")
    with pytest.warns(UserWarning, match=r"^skipped: 7 of 40 files .* and 2 more, named in evaluation\.json$"):
        use("ckpt=run", "evaluate=val", *chosen, f"data.data_dir={others}", "data.max_bad_fraction=0.2", "output=out")
    result = json.loads((tmp_path / "out/evaluation.json").read_text())
    assert result["unreadable"] == [str(path) for path in bad]
