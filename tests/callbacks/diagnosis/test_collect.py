"""Each sentence of a verdict, made to happen in a real training; and silence where all is well."""

import re
import time

import lightning
import pytest
import torch
from scripts import composed
from torch.optim import SGD, Adam

from litlab.callbacks import Diagnosis, EvaluationOutputs, Throughput
from litlab.callbacks.diagnosis.collect import is_comparable
from litlab.data import ImageDataset, LinePoints, Mix, MNISTSample
from litlab.modules import Classification, CrossEntropy, Regression
from litlab.networks import MLP, MnistCNN, with_frozen_backbone

seen: set[str] = set()  # every sentence of this module


def diagnosed(data, network=None, lr=1e-3, epochs=2, optimizer=Adam, module=None) -> list[str]:
    """Trains, and returns the verdict."""
    lightning.seed_everything(1, verbose=False)
    network = network or MLP(data.input_shape, 10)
    module = module or Classification(network, 10, optimizer=lambda p: optimizer(p, lr=lr))
    diagnosis = Diagnosis()
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "accelerator": "cpu"}
    trainer = lightning.Trainer(
        max_epochs=epochs,
        callbacks=[EvaluationOutputs(), diagnosis, Throughput()],
        enable_model_summary=False,
        num_sanity_val_steps=0,
        log_every_n_steps=10,
        use_distributed_sampler=False,
        **quiet,
    )
    failure = None
    try:
        trainer.fit(module, datamodule=data)
    except ArithmeticError as error:
        failure = error
    sentences = diagnosis.conclude(trainer, module, failure)
    seen.update(sentences)
    return sentences


class Relabelled(MNISTSample):
    """The sample with other training labels; those of validation stay."""

    def relabelled(self, labels: torch.Tensor) -> torch.Tensor:
        generator = torch.Generator().manual_seed(0)
        wrong = torch.rand(len(labels), generator=generator) < self.share
        return torch.where(wrong, torch.randint(10, labels.shape, generator=generator), labels)

    def __init__(self, share: float, **arguments) -> None:
        super().__init__(**arguments)
        self.share = share

    def setup(self, stage=None) -> None:
        super().setup(stage)
        given = self.train_set
        self.train_set = ImageDataset(given.images, self.relabelled(given.labels), given.indices)


def test_a_healthy_run_has_one_sentence_and_no_advice():
    (sentence,) = diagnosed(MNISTSample(), epochs=6)
    assert re.fullmatch(
        r"learning: train loss 2\.\d+ to 0\.\d+, val loss 0\.\d+ to 0\.\d+, val accuracy 9\d\.\d%", sentence
    )


def test_a_learning_rate_that_makes_the_loss_nan():
    (sentence,) = diagnosed(MNISTSample(train_limit=640), lr=1e20, epochs=1, optimizer=SGD)
    assert re.match(
        r"diverged: the loss was NaN or infinite at step \d; try optimizer.lr=0.1 \(it is 1e\+20\)", sentence
    )


def test_a_learning_rate_that_makes_the_loss_explode():
    first, *_ = diagnosed(MNISTSample(train_limit=640), MnistCNN(), lr=0.5, epochs=2)
    assert re.match(r"diverged: the train loss began at 2.3\d? and rose to \S+; try optimizer.lr=0.05 ", first)


def test_a_tiny_training_set_is_learned_by_heart():
    first, *_ = diagnosed(MNISTSample(train_limit=100, batch_size=10), lr=3e-3, epochs=25)
    match = re.match(
        r"overfitting: .* rose from (\S+) after epoch (\d+) to (\S+) \(accuracy 100.0% and [67]\S+; try data.augment="
        r"\[random_crop\], optimizer.weight_decay=0.01, more data or callbacks.early_stopping.enabled=true",
        first,
    )
    assert match, first
    assert float(match[3]) > 1.1 * float(match[1])
    assert 1 < int(match[2]) < 25


def test_shuffled_labels_are_memorised():
    first, *_ = diagnosed(Relabelled(1.0, train_limit=200, batch_size=10), lr=3e-3, epochs=15)
    assert first.startswith("overfitting: ")
    assert "no better than before training" in first


def test_training_labels_that_are_not_those_of_validation():
    first, *_ = diagnosed(Relabelled(0.9), epochs=3)
    assert first.startswith("wrong data: train loss 2.3")


@pytest.mark.parametrize(
    ("augment", "mix", "loss", "freeze", "comparable"),
    [
        (["random_crop", "random_horizontal_flip"], None, CrossEntropy(), False, True),
        (["rand_augment"], None, CrossEntropy(), False, False),
        ([], Mix(10), CrossEntropy(), False, False),
        ([], None, CrossEntropy(label_smoothing=0.1), False, False),
        ([], None, CrossEntropy(class_weights=[2.0] * 10), False, False),
        ([], None, CrossEntropy(), True, False),
    ],
)
def test_a_training_loss_is_compared_with_that_of_validation_only_if_it_is_of_one_kind(
    augment, mix, loss, freeze, comparable
):
    data = MNISTSample(augment=augment)
    data.mix = mix
    network = MLP((1, 28, 28), 10)
    module = Classification(with_frozen_backbone(network) if freeze else network, 10, loss)
    assert is_comparable(data, module) == comparable
    network.requires_grad_(True)
    module.trained_later = tuple(network.parameters()) if freeze else ()  # the backbone was frozen at first
    assert is_comparable(data, module) == comparable


def test_weights_that_hardly_move():
    (sentence,) = diagnosed(MNISTSample(train_limit=640), lr=1e-8, epochs=2)
    assert re.match(
        r"stuck: .*, at chance \(ln 10 = 2.30\); the weights change by \d?e?\S+ of .* optimizer.lr=0.001 ", sentence
    )


def test_a_step_that_is_too_small():
    (sentence,) = diagnosed(MNISTSample(), lr=3e-4, optimizer=SGD)
    assert re.match(
        r"stuck: .*; the weights change by \S+ of .*, where 1e-03 is usual; try optimizer.lr=0.003 ", sentence
    )


def test_too_few_steps():
    (sentence,) = diagnosed(MNISTSample(train_limit=640), lr=1e-3, epochs=1, optimizer=SGD)
    assert re.match(r"too short to tell: train loss 2.\S+ to \S+ in 10 steps; try trainer.max_epochs=20$", sentence)


def test_frozen_weights():
    network = MLP((1, 28, 28), 10)
    (sentence,) = diagnosed(MNISTSample(train_limit=640), network, lr=0.0, epochs=2, optimizer=SGD)
    assert sentence.startswith("stuck: ")
    assert "the weights do not move" in sentence


def test_units_that_died():
    network = MnistCNN()
    with torch.no_grad():
        network.classifier[0].bias.fill_(-100.0)
    sentences = diagnosed(MNISTSample(train_limit=640), network)  # 20 steps
    assert sentences[0].startswith("stuck: ")
    assert re.search(
        r"dead ReLUs: \d+ of 340 units never fire on validation images, 200 of 200 in classifier.1", sentences[1]
    )


def test_a_step_that_is_too_large():
    network = MLP((1, 28, 28), 10)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(0.02)
    sentences = diagnosed(MNISTSample(train_limit=640), network, lr=0.003)
    assert any(re.match(r"learning rate too high: a step changes the weights by \d+% ", s) for s in sentences), (
        sentences
    )


def test_pictures_that_are_not_normalised():
    data = MNISTSample(normalize={"mean": [0.0], "std": [0.004]}, train_limit=640)
    sentences = diagnosed(data)
    assert any(re.match(r"wrong start: .* is \S+, where ln\(10\) = 2.30 is expected", s) for s in sentences), sentences


def test_classes_that_are_never_the_answer():
    class Without(MNISTSample):
        def setup(self, stage=None):
            super().setup(stage)
            kept = self.train_set.indices[self.train_set.targets < 8]
            self.train_set = ImageDataset(self.train_set.images, self.train_set.labels, kept)

    sentences = diagnosed(Without(), epochs=3)
    assert any(re.match(r"never predicted: 8, 9 \(2 of 10 classes, 2\d% of", s) for s in sentences), sentences


def test_a_loader_that_is_slow():
    class Slow(ImageDataset):
        def __getitems__(self, batch):
            time.sleep(0.03)
            return super().__getitems__(batch)

    class SlowData(MNISTSample):
        def setup(self, stage=None):
            super().setup(stage)
            self.train_set = Slow(self.train_set.images, self.train_set.labels, self.train_set.indices)

    sentences = diagnosed(SlowData(), epochs=1)
    match = next(filter(None, (re.match(r"data too slow: the CPU waited (\d+)% of the time", s) for s in sentences)))
    assert 50 < int(match[1]) < 100
    assert "data.num_workers=2 (it is 0)" in match.string


def test_far_better_on_what_it_has_seen():
    sentences = diagnosed(MNISTSample(train_limit=200, batch_size=10), epochs=6)
    assert any(re.match(r"train accuracy 9\S+ is far above val accuracy [78]", s) for s in sentences), sentences


def test_stopped_while_it_still_improved():
    sentences = diagnosed(MNISTSample(), lr=1e-4)
    assert sentences[-1].startswith("still improving: the last epoch lowered the val loss from ")
    assert sentences[-1].endswith("try trainer.max_epochs=4")


def test_regression_without_validation_has_a_verdict_too():
    data = LinePoints()
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(1, 1))
    module = Regression(network, (1,), optimizer=lambda p: SGD(p, lr=0.01))
    first, *_ = diagnosed(data, module=module, epochs=3)
    assert re.fullmatch(r"learning: train loss \S+ to \S+", first)


def test_every_override_it_advises_composes():
    assert len(seen) > 10 or pytest.skip("alone, this test has nothing to look at")
    advised = {override for text in seen for override in re.findall(r"[a-z_]+(?:\.[a-z_]+)+=[^\s;,)]+", text)}
    assert len(advised) > 8
    composed(*{override.split("=")[0]: override for override in advised}.values())
