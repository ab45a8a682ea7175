"""The data modules as a user meets them: alone, under a Trainer, and with wrong arguments."""

import hashlib
from pathlib import Path

import lightning as L
import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from litlab.data import CIFAR10, MNIST, Fake, FashionMNIST, MNISTSample
from litlab.data.sources import Arrays
from litlab.modules import Classification
from litlab.networks import MLP

CONF = Path(__file__).parents[2] / "conf"


def sample(**arguments):
    data = MNISTSample(**arguments)
    data.prepare_data()
    data.setup()
    return data


def test_a_notebook_gets_batches_without_a_trainer():
    data = sample(batch_size=128)
    images, labels = next(iter(data.train_dataloader()))
    assert images.shape == (128, 1, 28, 28)
    assert images.dtype == torch.uint8
    assert labels.dtype == torch.int64
    normalised, same = data.preprocess(images, labels, training=False)
    assert torch.equal(same, labels)
    torch.testing.assert_close(normalised, (images / 255 - 0.1307) / 0.3081)


@pytest.mark.slow
@pytest.mark.parametrize("cls", [MNIST, CIFAR10])
def test_the_recorded_statistics_are_those_of_the_training_images(cls, request):
    data = cls(data_dir=request.getfixturevalue(f"{cls.name}_folder"))
    data.setup()
    images = data.train_set.images
    assert images.shape[1:] == data.input_shape
    for channel in range(images.shape[1]):
        std, mean = torch.std_mean(images[:, channel].float() / 255)
        assert data.mean[channel] == pytest.approx(float(mean), abs=6e-5)
        assert data.std[channel] == pytest.approx(float(std), abs=6e-5)


def test_the_split_depends_on_the_seed_alone():
    torch.manual_seed(1)
    first = sample(seed=42).val_set.indices
    torch.manual_seed(2)
    assert torch.equal(sample(seed=42, batch_size=7, train_limit=9).val_set.indices, first)
    assert not torch.equal(sample(seed=43).val_set.indices, first)
    assert torch.equal(first, first.sort().values)
    # It must be the same on every machine and version of torch, or a checkpoint is tested on images it was trained on.
    assert hashlib.sha256(first.numpy().tobytes()).hexdigest()[:16] == "7629ef83850a43c7"


def test_a_part_of_the_images_is_held_out_as_their_number_is():
    assert torch.equal(sample(val_size=0.1).val_set.indices, sample(val_size=400).val_set.indices)


def test_setup_does_its_work_once():
    data = sample()
    before = data.train_set
    data.setup("fit")
    data.setup("test")
    assert data.train_set is before


def test_train_limit_takes_the_first_and_leaves_the_rest():
    data = sample(train_limit=100)
    assert torch.equal(data.train_set.indices, sample().train_set.indices[:100])
    assert (len(data.val_set), len(data.test_set)) == (500, 1000)


def test_loaders_honour_the_arguments():
    data = sample(batch_size=64, train_limit=200, shuffle=False, eval_batch_size=300)
    labels = [labels for _, labels in data.train_dataloader()]
    assert [len(batch) for batch in labels] == [64, 64, 64, 8]
    assert torch.equal(torch.cat(labels), data.train_set.labels[data.train_set.indices])
    assert [len(batch) for _, batch in data.val_dataloader()] == [300, 200]
    assert [len(batch) for _, batch in sample().test_dataloader()] == [1000]
    assert len(sample(batch_size=64, train_limit=200, drop_last=True).train_dataloader()) == 3
    shuffled = sample(train_limit=200).train_dataloader()
    shuffled.batch_sampler.set_epoch(1)
    one = torch.cat([labels for _, labels in shuffled])
    shuffled.batch_sampler.set_epoch(2)
    assert not torch.equal(torch.cat([labels for _, labels in shuffled]), one)


def test_workers_load_what_one_process_loads():
    alone = sample(train_limit=200)
    with_workers = sample(train_limit=200, num_workers=2, prefetch_factor=3)
    loader = with_workers.train_dataloader()
    assert loader.persistent_workers
    for (images, labels), (others, same) in zip(alone.train_dataloader(), loader, strict=True):
        assert torch.equal(images, others)
        assert torch.equal(labels, same)


@pytest.mark.parametrize("cls", [MNIST, FashionMNIST, CIFAR10, MNISTSample])
def test_normalize(cls):
    channels = cls.input_shape[0]
    assert (cls().mean, cls().std) == (cls.mean, cls.std)
    for off in (None, False):
        assert cls(normalize=off).record()["mean"] == [0.0] * channels
        assert cls(normalize=off).record()["std"] == [1.0] * channels
    own = {"mean": [0.25] * channels, "std": [0.5] * channels}
    assert cls(normalize=own).record() | own == cls(normalize=own).record()
    assert cls(normalize=(own["mean"], own["std"])).record() == cls(normalize=own).record()


class Recorder(L.LightningModule):
    """A module that keeps its batches and learns nothing."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.batches = {"train": [], "val": [], "test": []}

    def training_step(self, batch):
        self.batches["train"].append(batch)
        return self.weight**2

    def validation_step(self, batch):
        self.batches["val"].append(batch)

    def test_step(self, batch):
        self.batches["test"].append(batch)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def quiet_trainer(tmp_path, **arguments):
    return L.Trainer(
        default_root_dir=tmp_path,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        **arguments,
    )


def test_a_trainer_augments_in_training_only_and_reshuffles_each_epoch(tmp_path):
    white = torch.full_like  # makes training images white, and no others
    data = MNISTSample(train_limit=128, augment=[lambda images: white(images, 255)], normalize=False)
    module, trainer = Classification(MLP(), 10), quiet_trainer(tmp_path, max_epochs=2)
    seen = {True: [], False: []}  # images, by whether the network is in training
    module.network.register_forward_pre_hook(lambda network, inputs: seen[network.training].append(inputs[0]))
    trainer.fit(module, data)
    trainer.test(module, data, verbose=False)
    assert len(seen[True]) == 4
    assert all((images == 1).all() and images.dtype == torch.float32 for images in seen[True])
    assert all(0.05 < images.mean() < 0.3 for images in seen[False])
    recorder = Recorder()
    quiet_trainer(tmp_path, max_epochs=2).fit(recorder, data)
    first, second = (torch.cat([labels for _, labels in recorder.batches["train"]][i : i + 2]) for i in (0, 2))
    assert torch.equal(first.sort().values, second.sort().values)
    assert not torch.equal(first, second)


def test_overfitting_sees_the_same_batches_each_epoch(tmp_path):
    module = Recorder()
    quiet_trainer(tmp_path, max_epochs=2, overfit_batches=2).fit(module, MNISTSample())
    labels = [labels for _, labels in module.batches["train"]]
    assert len(labels) == 4
    assert torch.equal(labels[0], labels[2])
    assert torch.equal(labels[1], labels[3])


def test_a_batch_size_that_two_devices_cannot_share_is_refused(tmp_path):
    data = sample(batch_size=63)
    data.trainer = quiet_trainer(tmp_path, devices=2, strategy="ddp")
    with pytest.raises(ValueError, match=r"^batch_size must be a multiple of 2, the number of processes, not 63"):
        data.train_dataloader()
    data.batch_size = 64
    images, _ = next(iter(data.train_dataloader()))
    assert len(images) == 32


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, "batch_size must be at least 1, not 0"),
        ({"batch_size": "many"}, "batch_size must be a whole number, not 'many'"),
        ({"eval_batch_size": 0}, "eval_batch_size must be at least 1"),
        ({"val_size": -1}, "val_size must be a number of images, or a fraction below 1, not -1"),
        ({"val_size": 1.5}, "val_size must be a number of images, or a fraction below 1, not 1.5"),
        ({"val_size": 4000}, "val_size must be under 4,000, the size of the training set"),
        ({"num_workers": -1}, "num_workers must be at least 0"),
        ({"pin_memory": "yes"}, "pin_memory must be true or false"),
        ({"persistent_workers": True}, "persistent_workers must be false or null without workers"),
        ({"prefetch_factor": 2}, "prefetch_factor must be null without workers"),
        ({"prefetch_factor": 0, "num_workers": 1}, "prefetch_factor must be at least 1"),
        ({"shuffle": 1}, "shuffle must be true or false"),
        ({"drop_last": None}, "drop_last must be true or false"),
        ({"drop_last": True, "train_limit": 10}, "drop_last leaves no batch of 64 from 10 training images"),
        ({"train_limit": 0}, "train_limit must be at least 1"),
        ({"normalize": {"mean": [0.5]}}, "normalize must be true, false or {mean"),
        ({"normalize": "imagenet"}, "normalize must be true, false or {mean"),
        ({"normalize": {"mean": [0.5] * 3, "std": [0.5] * 3}}, "normalize must have 1 mean and std"),
        ({"normalize": {"mean": [0.5], "std": [0]}}, "normalize must have finite values and std above 0"),
        ({"augment": ["flip"]}, "augment has no 'flip'"),
        (
            {"augment": [{"name": "color_jitter", "hue": 0.1}]},
            "augment cannot take mnist_sample's images: color_jitter",
        ),
        ({"augment": [{"name": "random_crop", "padding": 28, "padding_mode": "reflect"}]}, "augment cannot take"),
        ({"augment": [torch.Tensor.float]}, "augment must return uint8 images of the same shape"),
        ({"seed": -1}, "seed must be at least 0"),
        ({"data_dir": ""}, "data_dir must be the path of a folder"),
    ],
)
def test_bad_values_are_refused_by_name(arguments, message):
    with pytest.raises(ValueError) as caught:
        sample(**arguments)
    assert str(caught.value).startswith(message)


def test_building_one_leaves_the_global_generator_alone():
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    MNISTSample(augment=["random_crop", "random_horizontal_flip", "cutout"])
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize("cls", [MNIST, FashionMNIST, CIFAR10, MNISTSample])
def test_the_config_holds_every_argument_with_its_default(cls):
    with initialize_config_dir(str(CONF), version_base=None):
        config = compose(overrides=[f"+data={cls.name}", "+seed=42"]).data
    data, default = instantiate(config), cls()
    assert type(data) is cls
    assert data.__dict__.keys() == default.__dict__.keys()
    for name in data.__dict__.keys() - {"normalize"}:
        if not name.startswith("_"):
            assert getattr(data, name) == getattr(default, name), name
    assert (CONF / f"data/{cls.name}.yaml").read_text().startswith("# ")


IMAGES, LABELS = "uint8 [N, 3, 8, 8], 0 to 255", "from 0 to 2, as there are 3 class_names"
NUMBERS = "whole numbers, one for each of the 20 images"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"train_images": lambda x: x / 255}, f"train_images must be {IMAGES}, not float32 [20, 3, 8, 8]"),
        ({"test_images": lambda x: x[..., :7]}, f"test_images must be {IMAGES}, not uint8 [6, 3, 8, 7]"),
        ({"train_images": lambda x: x[:, 0]}, f"train_images must be {IMAGES}, not uint8 [20, 8, 8]"),
        ({"train_images": np.asarray}, f"train_images must be {IMAGES}, not ndarray"),
        ({"train_labels": lambda y: y + 1}, f"train_labels must be {LABELS}, not from 1 to 3"),
        ({"test_labels": lambda y: y - 1}, f"test_labels must be {LABELS}, not from -1 to 1"),
        ({"train_labels": lambda y: y[1:]}, f"train_labels must be {NUMBERS}, not int64 [19]"),
        ({"train_labels": lambda y: y.float()}, f"train_labels must be {NUMBERS}, not float32 [20]"),
    ],
)
@pytest.mark.parametrize("image_size", [None, 16])
def test_arrays_that_do_not_fit_the_class_attributes_are_refused(changed, message, image_size):
    class Own(Fake):
        def load_arrays(self) -> Arrays:
            arrays = super().load_arrays()
            return arrays._replace(**{name: change(getattr(arrays, name)) for name, change in changed.items()})

    data = Own((3, 8, 8), num_classes=3, train_size=20, val_size=4, test_size=6, image_size=image_size)
    with pytest.raises(ValueError) as caught:
        data.setup()
    assert str(caught.value) == f"load_arrays: {message}"


def test_image_size_resizes_on_the_device():
    data = sample(image_size=56)
    assert data.input_shape == (1, 56, 56)
    assert data.record()["input_shape"] == [1, 56, 56]
    images, labels = next(iter(data.train_dataloader()))
    assert images.shape[1:] == (1, 28, 28)
    resized, _ = data.preprocess(images, labels, training=False)
    assert resized.shape[1:] == (1, 56, 56)
    assert resized.mean() == pytest.approx(data.normalize(images).mean().item(), abs=0.01)


def test_what_one_writes_to_the_sample_no_other_sees():
    first, second = MNISTSample().load_arrays(), MNISTSample().load_arrays()
    assert torch.equal(first.train_images, second.train_images)
    first.train_images.zero_()
    first.train_labels.zero_()
    assert second.train_images.any()
    assert MNISTSample().load_arrays().train_labels.unique().tolist() == list(range(10))
