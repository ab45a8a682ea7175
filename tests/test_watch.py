"""What TensorBoard has to show of a run, and that it is that run's."""

import csv
import io
import math
from pathlib import Path

import lightning
import numpy as np
import pytest
import torch
import yaml
from pictures import draw_folder
from PIL import Image
from scripts import QUICK
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.metadata import SESSION_START_INFO_TAG
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
from tensorboard.util.tensor_util import make_ndarray
from test_conf import CONF, composed, options

from litlab import config
from litlab.callbacks import Graph, TensorBoard
from litlab.callbacks.tensorboard import View
from litlab.callbacks.tensorboard.histograms import BINS, histogram
from litlab.callbacks.tensorboard.pr_curves import THRESHOLDS, counts
from litlab.modules import Classification


def read(run: Path) -> EventAccumulator:
    everything = {"images": 0, "scalars": 0, "histograms": 0, "tensors": 0}
    events = EventAccumulator(str(run), size_guidance=everything)
    events.Reload()
    return events


def picture(event) -> Image.Image:
    return Image.open(io.BytesIO(event.encoded_image_string))


@pytest.fixture(scope="module")
def seen(quick_run):
    return read(quick_run.runs[0])


def test_pictures_of_each_epoch_stand_at_its_step(seen):
    steps = {tag: [event.step for event in seen.Images(tag)] for tag in seen.Tags()["images"]}
    each = [55, 110]
    assert steps == {
        "pictures/train": [0],
        "pictures/val": [0],
        "wrong/val": each,
        "confusion/val": each,
        "filters": each,
    }
    assert [event.step for event in seen.Scalars("val/loss")] == each


def test_the_batches_are_the_data(seen):
    """The first validation picture, un-normalised, enlarged twice, is the first validation picture."""
    from litlab.data import MNISTSample

    data = MNISTSample(seed=1)
    data.setup()
    first = data.val_set[0][0][0].numpy()
    shown = np.array(picture(seen.Images("pictures/val")[0]))
    assert np.array_equal(shown[:56:2, :56:2, 0], first)
    assert shown.shape == (8 * 58, 8 * 58, 3)
    assert np.array_equal(shown[:, :, 0], shown[:, :, 2])


def test_gradient_norm_and_rate_stand_at_the_step_of_the_loss(quick_run, seen):
    logged = [event.step for event in seen.Scalars("train/gradient_norm")]
    assert logged == [event.step for event in seen.Scalars("lr-Adam")] == [49, 99]
    assert set(logged) <= {event.step for event in seen.Scalars("train/loss_step")}
    assert all(event.value > 0 for event in seen.Scalars("train/gradient_norm"))
    assert 10 < seen.Scalars("speed/images_per_second")[0].value < 1e6
    assert 0.1 < seen.Scalars("memory/cpu")[0].value <= seen.Scalars("memory/cpu_peak")[0].value < 20
    with (quick_run.runs[0] / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    row = next(row for row in rows if row["step"] == "49")
    assert row["train/loss_step"]
    assert float(row["train/gradient_norm"]) == pytest.approx(seen.Scalars("train/gradient_norm")[0].value)
    assert not [name for name in rows[0] if name.startswith(("speed/", "memory/"))]


def test_histograms_of_weights_and_gradients(quick_run, seen):
    state = torch.load(quick_run.runs[0] / "checkpoints/last.ckpt", weights_only=True)["state_dict"]
    names = {name.removeprefix("network.") for name in state}
    assert set(seen.Tags()["histograms"]) == {f"{kind}/{name}" for kind in ("weights", "gradients") for name in names}
    for name in names:
        last = seen.Histograms(f"weights/{name}")[-1]
        assert last.step == seen.Histograms(f"gradients/{name}")[-1].step == 110
        values = state[f"network.{name}"]
        found = last.histogram_value
        assert (found.min, found.max, found.num) == (values.min().item(), values.max().item(), values.numel())


def test_precision_and_recall_of_each_class(seen):
    tags = {f"precision_recall/{name}" for name in range(10)}
    assert tags <= set(seen.Tags()["tensors"])
    tp, fp, tn, fn, precision, recall = make_ndarray(seen.Tensors("precision_recall/3")[-1].tensor_proto)
    assert (tp + fp + tn + fn == 500).all()
    assert recall[0] == 1
    assert precision[60] == pytest.approx(tp[60] / (tp[60] + fp[60]))
    assert precision[60] > 0.5


def test_the_config_as_text(quick_run, seen):
    (event,) = seen.Tensors("config/text_summary")
    text = event.tensor_proto.string_val[0].decode()
    shown = yaml.safe_load("\n".join(line.removeprefix("    ") for line in text.splitlines()))
    assert shown["seed"] == 1
    assert shown["data"]["_target_"] == "litlab.data.MNISTSample"


def test_the_row_of_the_hparams_table(quick_run, seen):
    content = seen.summary_metadata[SESSION_START_INFO_TAG].plugin_data.content
    row = HParamsPluginData.FromString(content).session_start_info.hparams
    assert row["optimizer.lr"].number_value == quick_run.result["config"]["optimizer.lr"]
    assert row["data.batch_size"].number_value == 64
    assert (row["model"].string_value, row["data"].string_value) == ("MnistCNN", "MNISTSample")
    assert row["seed"].number_value == 1
    for name, value in quick_run.result["metrics"].items():
        tag = name if name.startswith("test/") else f"result/{name}"
        (event,) = seen.Scalars(tag)
        assert event.value == pytest.approx(value)
    experiment = HParamsPluginData.FromString(seen.summary_metadata["_hparams_/experiment"].plugin_data.content)
    shown = [info.name.tag for info in experiment.experiment.metric_infos]
    assert shown[0] == "result/val/acc"
    assert "test/acc" in shown
    first = {info.name for info in experiment.experiment.hparam_infos if info.differs}
    assert first == {"model", "data", "data.batch_size", "optimizer.lr"}


def test_the_projector_has_a_line_for_each_thumbnail(quick_run):
    run = quick_run.runs[0]
    vectors = np.loadtxt(run / "projector/vectors.tsv")
    assert vectors.shape == (300, 100)  # of the last dense layer's input
    assert len((run / "projector/labels.tsv").read_text().splitlines()) == 300
    assert Image.open(run / "projector/thumbnails.png").size == (18 * 28, 18 * 28)
    assert str(quick_run.folder) not in (run / "projector_config.pbtxt").read_text()


def test_the_graph_is_that_of_the_network(seen):
    operations = {node.op for node in seen.Graph().node} if hasattr(seen.Graph(), "node") else set()
    assert "aten::_convolution" in operations


@pytest.mark.parametrize("model", options("model"))
def test_every_network_has_a_graph(model, tmp_path):
    network = config.build(composed(f"model={model}"), "model", input_shape=[3, 32, 32], num_classes=10)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    trained = [module.training for module in network.modules()]
    random = torch.get_rng_state()
    trainer = lightning.Trainer(logger=TensorBoard(tmp_path), accelerator="cpu", enable_progress_bar=False)
    trainer.datamodule = type("Shape", (), {"input_shape": (3, 32, 32)})
    Graph().begin(View(trainer, Classification(network, 10)))
    trainer.logger.experiment.close()
    nodes = [node.name.split("/") for node in read(tmp_path).Graph().node]
    assert {f"{type(network).__name__}"} <= {path[0].split("[")[0] for path in nodes}
    children = {name for name, child in network.named_children() if any(True for _ in child.parameters())}
    auxiliary = {name for name in children if "aux" in name}  # of training alone
    assert children - auxiliary <= {path[1].partition("[")[2].rstrip("]") for path in nodes if len(path) > 1}
    assert torch.equal(torch.get_rng_state(), random)
    assert [module.training for module in network.modules()] == trained
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


PARTS = [
    name
    for name, node in yaml.safe_load((CONF / "callbacks/default.yaml").read_text()).items()
    if (node.get("_target_") or "").startswith("litlab.callbacks.")
    and name not in ("progress", "model_summary", "diagnosis", "report")
]


def test_what_is_switched_off_leaves_nothing(train_here):
    off = [f"callbacks.{name}.enabled=false" for name in (*PARTS, "diagnosis")]
    done = train_here(*QUICK, "data.train_limit=640", "trainer.log_every_n_steps=2", *off)
    assert done.status == 0, done.err
    seen = read(done.runs[0])
    losses = {f"{split}/{name}" for split in ("train", "val", "test") for name in ("loss", "acc")}
    assert set(seen.Tags()["scalars"]) == losses | {"epoch", "train/loss_step", "train/acc_step"}
    assert not any(seen.Tags()[kind] for kind in ("images", "histograms", "tensors", "graph"))
    assert not list(done.runs[0].glob("projector*"))


@pytest.mark.parametrize("logger", ["none", "csv"])
def test_without_tensorboard_there_are_tables_only(train_here, logger):
    done = train_here(*QUICK, "data.train_limit=640", "trainer.log_every_n_steps=2", f"logger={logger}")
    assert done.status == 0, done.err
    assert not [*done.runs[0].glob("events*"), *done.runs[0].glob("projector*")]
    if logger == "csv":
        assert "train/gradient_norm" in (done.runs[0] / "metrics.csv").read_text().splitlines()[0]


def test_a_regression_shows_what_it_has(train_here):
    done = train_here("experiment=linear_regression", "trainer=cpu", "trainer.max_epochs=2")
    assert done.status == 0, done.err
    seen = read(done.runs[0])
    assert seen.Tags()["images"] == []
    assert "weights/layers.1.weight" in seen.Tags()["histograms"]
    assert seen.Tags()["graph"]


def test_colour_pictures_from_files_and_maps_of_a_layer(train_here, tmp_path):
    draw_folder(tmp_path / "drawn", count=8)
    done = train_here(
        *("data=image_folder", "data.data_dir=drawn", "data.image_size=[40,60]", "data.num_workers=0"),
        *("trainer=cpu", "trainer.max_epochs=1", "model=mnist_cnn", "data.batch_size=4"),
        "callbacks.feature_maps.layer=features.3",
    )
    assert done.status == 0, done.err
    seen = read(done.runs[0])
    assert {"pictures/train", "pictures/val", "filters", "feature_maps/features.3"} <= set(seen.Tags()["images"])
    red = np.array(picture(seen.Images("pictures/train")[0]))[:40, :60].reshape(-1, 3).mean(0)
    assert abs(red[0] - red[2]) > 60  # a picture is red or blue


def test_a_layer_that_is_not_there_is_one_line(train_here, tmp_path):
    done = train_here(*QUICK, "callbacks.feature_maps.layer=conv9")
    assert done.status == 2
    assert done.err.startswith(
        "error: callbacks.feature_maps.layer=conv9: MnistCNN has no such layer; it has features, features.0,"
    )
    assert done.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_counts_at_thresholds_are_those_of_a_loop():
    generator = torch.Generator().manual_seed(0)
    probabilities = torch.rand(50, 3, generator=generator).softmax(1)
    targets = torch.randint(0, 3, (50,), generator=generator)
    found = counts(probabilities, targets)
    for k in range(3):
        for t in range(0, THRESHOLDS, 9):
            above = (probabilities[:, k] * (THRESHOLDS - 1)).floor() >= t
            assert found[k, 0, t] == (above & (targets == k)).sum()
            assert found[k, 1, t] == (above & (targets != k)).sum()


def test_a_histogram_counts_each_value_once():
    values = torch.randn(1000, generator=torch.Generator().manual_seed(0))
    found = histogram(values)
    expected, _ = np.histogram(values.numpy(), bins=BINS)
    assert sum(found["bucket_counts"]) == 1000
    assert np.abs(np.array(found["bucket_counts"]) - expected).sum() <= 4  # rounding at the edges
    assert histogram(torch.full((7,), 2.0))["bucket_counts"][0] == 7
    assert histogram(torch.tensor([1.0, math.nan])) is None
