"""Every file in conf/: each network trains on each data set it can take, and is refused clearly where it cannot."""

from pathlib import Path

import lightning
import pytest
import torch
from omegaconf import OmegaConf
from pictures import draw_folder, draw_labels, draw_landmarks
from scripts import REPOSITORY, asked, composed

from litlab import config
from litlab.errors import ConfigError
from litlab.training import assemble

CONF = REPOSITORY / "conf"
OmegaConf.register_new_resolver("options", lambda: "", replace=True)


def options(group: str) -> list[str]:
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("pictures")
    draw_folder(root / "folder", count=5)
    draw_landmarks(root / "landmarks", count=10)
    draw_labels(root / "csv", "file,label\n" + "".join(f"{n}.png,{'rb'[n % 2]}\n" for n in range(10)))
    return root


POINTS = ["line_points", "sigmoid_points"]
REGRESSION = {name: ["loss=mse", "objective=train/mse"] for name in ["landmarks", *POINTS]}
IN_FILES = {  # what each needs besides its name
    "image_folder": ["data.data_dir={root}/folder", "data.image_size=40", "data.num_workers=0", "data.val_size=2"],
    "csv": ["data.file={root}/csv/labels.csv", "data.image_size=40", "data.num_workers=0", "data.val_size=2"],
    "landmarks": ["data.annotations={root}/landmarks/annotations.txt", "data.image_size=40", "data.num_workers=0"],
}
QUICK = ["data.batch_size=2", "optimizer=sgd", "optimizer.lr=0.001", "scheduler=none", "trainer=cpu"]


def choose(data: str, root: Path) -> list[str]:
    """The overrides for `data`. Of what must be fetched, random images take the place, of the same shape."""
    if data in (*IN_FILES, *POINTS, "mnist_sample"):
        return [f"data={data}", *(line.format(root=root) for line in IN_FILES.get(data, ())), *REGRESSION.get(data, ())]
    stands_for = config.build(composed(f"data={data}"), "data")
    sizes = ["data.train_size=12", "data.val_size=4", "data.test_size=2"]
    shape = str(list(stands_for.input_shape)).replace(" ", "")
    return ["data=fake", f"data.input_shape={shape}", f"data.num_classes={stands_for.num_classes}", *sizes]


ALIKE = ["csv", "fake", "fashion_mnist", "kmnist", "mnist_sample", "svhn"]  # each as another one
PHOTOGRAPHS = {"flowers102": 102, "food101": 101, "imagenette": 10, "oxford_pets": 37}  # their classes; as image_folder
EXTRAS = ["huggingface"]  # tests/data/test_huggingface.py
DISTINCT = [name for name in options("data") if name not in (*ALIKE, *PHOTOGRAPHS, *EXTRAS)]  # shapes


# Each data set with the light networks, and three others on colour; the rest is more of the same.
LIGHT, ON_COLOUR = ("mlp", "cifar10_quick"), ("resnet18", "vit", "whitened_cnn")


def is_quick(model: str, data: str) -> bool:
    return model in LIGHT or (model in ON_COLOUR and data == "cifar10")


PAIRS = [
    pytest.param(model, data, marks=() if is_quick(model, data) else pytest.mark.slow)
    for model in options("model")
    if model != "timm"  # an extra: tests/networks/test_registered.py
    for data in DISTINCT
]


@pytest.mark.parametrize(("model", "data"), PAIRS)
@pytest.mark.slow
def test_every_network_trains_or_is_refused(model, data, pictures, tmp_path):
    lightning.seed_everything(0, verbose=False)
    run = asked(f"model={model}", *choose(data, pictures), *QUICK)
    config.check(run.cfg)
    if data in POINTS and model != "mlp":
        with pytest.raises(
            ConfigError, match="^model=MODEL takes images, and data=DATA has points: use model=mlp"
        ) as caught:
            assemble(run)
        assert "\n" not in str(caught.value)
        return
    _, module_data, module = assemble(run)
    before = {name: p.detach().clone() for name, p in module.network.named_parameters()}
    trainer = lightning.Trainer(
        max_steps=2,
        limit_val_batches=1,
        accelerator="cpu",
        default_root_dir=tmp_path,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
    )
    trainer.fit(module, module_data)
    assert trainer.global_step == 2
    assert torch.isfinite(trainer.callback_metrics["train/loss"])
    still = [name for name, p in module.network.named_parameters() if torch.equal(before[name], p)]
    assert not still, f"nothing was learned in {still}"


@pytest.mark.parametrize("data", ALIKE)
def test_the_other_data_sets_have_a_shape_that_was_walked(data, pictures):
    needs = [line.format(root=pictures) for line in IN_FILES.get(data, ())]
    data = config.build(composed(f"data={data}", *needs), "data")
    assert (data.input_shape, data.num_classes) in {((1, 28, 28), 10), ((3, 32, 32), 10), ((3, 40, 40), 2)}


@pytest.mark.parametrize("data", PHOTOGRAPHS)
def test_photographs_have_the_shape_that_pretrained_networks_expect(data):
    built = config.build(composed(f"data={data}"), "data")
    assert built.input_shape == (3, 224, 224)
    assert len(set(built.class_names)) == built.num_classes == PHOTOGRAPHS[data]
    assert built.name == data


@pytest.mark.parametrize("experiment", options("experiment"))
def test_every_experiment_composes_and_fits_together(experiment, pictures):
    needs = {
        "fine_tune_folder": [f"data.data_dir={pictures}/folder", "model.pretrained=false", "data.image_size=64"],
        "flowers_fine_tune": ["model.pretrained=false"],
        "landmarks": [f"data.annotations={pictures}/landmarks/annotations.txt"],
    }
    run = asked(f"experiment={experiment}", *needs.get(experiment, ()))
    config.check(run.cfg)
    assemble(run)
    lines = (CONF / f"experiment/{experiment}.yaml").read_text().splitlines()
    assert lines[0] == "# @package _global_"
    assert lines[1].startswith("# ")
    assert any(line.startswith("# Measured: ") for line in lines), "say what was run, and what came out"
