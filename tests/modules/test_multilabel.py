"""Several labels for a picture, from the file to the predictions."""

import csv
import json
from itertools import combinations

import pytest
import torch
from faults.compare import differences
from pictures import draw_labels
from recorded_runs import WITHOUT_FAULT, record_run, stop_at, train_recorded
from scripts import asked
from torchmetrics.functional.classification import multilabel_f1_score

from litlab import checkpoint
from litlab.data import LabelFile
from litlab.errors import ConfigError, RunFailed
from litlab.training import assemble

SETS = [";".join(labels) for count in range(4) for labels in combinations(("red", "green", "blue"), count)]
LABELS = ["loss=bce_with_logits", "objective=val/map"]
SMALL = [
    *("data=csv", "data.image_size=8", "data.num_workers=0", "data.test_size=0.2", "data.batch_size=8", "model=mlp"),
    *("model.hidden=[8]", "trainer=cpu", "trainer.max_epochs=2", "optimizer.lr=0.01", "trainer.log_every_n_steps=3"),
]


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """Forty pictures with each set of three labels."""
    rows = "".join(f"{number}.png,{SETS[number % len(SETS)]}\n" for number in range(40))
    return draw_labels(tmp_path_factory.mktemp("pictures"), f"file,label\n{rows}")


@pytest.fixture(scope="module")
def run(file, tmp_path_factory):
    """The folder of a run of two epochs."""
    folder = tmp_path_factory.mktemp("multilabel") / "run"
    record_run(folder, f"data.file={file}", *LABELS, base=SMALL)
    train_recorded(folder)
    return folder


def best(run):
    return checkpoint.load(run / "checkpoints/best.ckpt")


def split_of(run, file, split):
    """Logits and targets of a split of the run."""
    trained = best(run)
    data = LabelFile(file, image_size=8, test_size=0.2, stratified=True, seed=42)
    data.setup()
    images, targets = data.evaluation_set(split).__getitems__(range(data.sizes[split]))
    return trained.network(data.preprocess(images, targets, training=False)[0]), targets


def test_a_run_measures_map_and_f1_and_keeps_the_thresholds_of_validation(run, file):
    result = json.loads((run / "result.json").read_text())
    assert {f"{s}/{m}" for s in ("train", "val", "test") for m in ("loss", "map", "f1")} == set(result["metrics"])
    assert result["objective"]["name"] == "val/map"
    thresholds = torch.tensor(best(run).data.thresholds)
    assert len(thresholds) == 3
    assert (thresholds != 0.5).any()
    for split in ("val", "test"):
        logits, targets = split_of(run, file, split)
        said = (logits.sigmoid() >= thresholds).long()
        wanted = multilabel_f1_score(said, targets.long(), 3, average="macro").item()
        assert result["metrics"][f"{split}/f1"] == pytest.approx(wanted, abs=1e-6)
    assert (run / "report.png").exists()
    assert "mAP" in (run / "report.html").read_text()


@pytest.mark.slow
def test_a_stopped_run_goes_on_as_if_it_had_not_stopped(run, file, tmp_path):
    record_run(tmp_path / "run", f"data.file={file}", *LABELS, stop_at(4), base=SMALL)
    with pytest.raises(RunFailed, match="stopped by SIGTERM"):
        train_recorded(tmp_path / "run")
    train_recorded(tmp_path / "run", WITHOUT_FAULT)
    assert differences(tmp_path / "run", run) == []


@pytest.mark.slow
def test_blocks_of_steps_measure_what_eager_steps_measure(run, file, tmp_path):
    record_run(tmp_path / "run", f"data.file={file}", *LABELS, "engine=blocks", base=SMALL)
    train_recorded(tmp_path / "run")
    assert differences(tmp_path / "run", run) == []


def test_an_evaluation_measures_what_the_training_measured(run, file, use, tmp_path):
    index = file.parent / ".litlab-pictures.npz"
    index.unlink(missing_ok=True)
    metrics = json.loads((run / "result.json").read_text())["metrics"]
    for split in ("val", "test"):
        use(f"ckpt={run}", f"evaluate={split}")
        evaluation = json.loads((tmp_path / "evaluation/evaluation.json").read_text())
        found, labels = evaluation["metrics"], evaluation["classes"]
        for mean, of_each in (("map", "average_precision"), ("f1", "f1")):
            values = [row[of_each] for row in labels.values()]
            assert sum(values) / 3 == pytest.approx(found[f"{split}/{mean}"], abs=1e-5)
        assert [row["threshold"] for row in labels.values()] == pytest.approx(best(run).data.thresholds, abs=1e-5)
        assert found == {name: value for name, value in metrics.items() if name.startswith(split)}
    assert not index.exists()  # a checkpoint that names a file elsewhere does not decide where litlab writes


def test_predictions_are_the_labels_over_their_thresholds(run, file, use, tmp_path):
    use(f"ckpt={run}", f"input={file.parent}", "invert=false")
    with (tmp_path / "predictions/predictions.csv").open() as table:
        rows = list(csv.DictReader(table))
    trained = best(run)
    assert len(rows) == 40
    for row in rows:
        values = zip(trained.data.class_names, trained.data.thresholds, strict=True)
        reached = [name for name, threshold in values if float(row[f"p({name})"]) >= threshold]
        assert row["labels"] == ";".join(reached)
    listed = json.loads((tmp_path / "predictions/predictions.json").read_text())
    assert [row["labels"] for row in listed] == [row["labels"].split(";") if row["labels"] else [] for row in rows]


def test_an_exported_network_says_the_thresholds(run, use, tmp_path):
    safetensors = pytest.importorskip("safetensors")
    use(f"ckpt={run}", "export=safetensors")
    with safetensors.safe_open(tmp_path / "export/weights.safetensors", "pt") as exported:
        facts = exported.metadata()
    assert facts["task"] == "Multilabel"
    assert json.loads(facts["thresholds"]) == list(best(run).data.thresholds)


def test_another_file_is_measured_though_no_row_has_several_labels(run, use, tmp_path):
    rows = "".join(f"{i}.png,{('red', 'green', 'blue')[i % 3]},{('train', 'val')[i % 2]}\n" for i in range(12))
    draw_labels(tmp_path, "file,label,split\n" + rows)
    use(f"ckpt={run}", "data=csv", "data.file=labels.csv", "evaluate=val")
    assert json.loads((tmp_path / "evaluation/evaluation.json").read_text())["images"] == 6
    with pytest.raises(ConfigError, match=r"^data=csv is classification, and the network was trained for multilabel$"):
        use(f"ckpt={run}", "data=csv", "data.file=labels.csv", "data.multilabel=false", "evaluate=val")


def test_checkpoints_whose_thresholds_are_damaged_are_refused(run, tmp_path):
    for thresholds in (None, torch.tensor([0.5, 0.5]), torch.tensor([0.5, 0.5, float("nan")])):
        saved = torch.load(run / "checkpoints/best.ckpt", weights_only=True)
        del saved["state_dict"]["thresholds"]
        saved["state_dict"] |= {} if thresholds is None else {"thresholds": thresholds}
        torch.save(saved, tmp_path / "damaged.ckpt")
        with pytest.raises(ValueError, match=r"has not one threshold from 0 to 1 for each label$"):
            checkpoint.load(tmp_path / "damaged.ckpt")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["loss=cross_entropy"], "is for one class for each picture, .* use loss=bce_with_logits objective=val/map$"),
        (["loss=mse"], "^loss=LOSS is for regression, and data=DATA has several labels: use loss=bce_with_logits"),
        (["mix=cutmix"], "mixes classes, and data=DATA has several labels for a picture: write mix=none$"),
        (["top5=true"], "^top5=true: data=DATA has several labels for a picture$"),
        (["data.balanced=true"], "^data.balanced must be false where a picture may have several labels$"),
        (["metrics=f1"], "^metrics.f1: the task itself logs a metric of this name"),
        (["metrics=auroc"], "^metrics.auroc cannot measure the labels of data=csv: "),
        (["loss=cross_entropy", "loss.class_weights=balanced"], "^loss.class_weights=balanced: data=DATA has several "),
        (["objective=val/acc"], "^objective=val/acc is not logged; what is: train/loss, train/map, train/f1, val/loss"),
    ],
)
def test_what_is_for_one_class_is_refused(file, overrides, message):
    with pytest.raises(ConfigError, match=message):
        assemble(asked(*SMALL, f"data.file={file}", *LABELS, *overrides))


def test_a_metric_of_torchmetrics_is_told_that_there_are_several_labels(file):
    more = "+metrics.auroc._target_=torchmetrics.AUROC"
    module = assemble(asked(*SMALL, f"data.file={file}", *LABELS, more))[2]
    assert "val/auroc" in module.metric_names


def test_a_loss_for_several_labels_is_refused_where_there_is_one_class():
    with pytest.raises(ConfigError, match="^loss=LOSS is for several labels a picture, and data=DATA has one class"):
        assemble(asked("data=mnist_sample", "loss=bce_with_logits"))


def test_another_sign_between_labels_is_said_where_they_are_taken_for_one(file):
    rows = [line.split(",")[0] for line in file.read_text().splitlines()[1:]]
    other = file.with_name("other.csv")
    other.write_text("file,label\n" + "".join(f"{name},{'a|b' if n % 2 else 'b'}\n" for n, name in enumerate(rows)))
    with pytest.raises(ConfigError, match=r"has one class each; data.label_separator=; separates several$"):
        assemble(asked(*SMALL, f"data.file={other}", *LABELS))
