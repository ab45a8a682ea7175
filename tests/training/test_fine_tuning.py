"""Weights that were trained here on CIFAR-10, fine-tuned on a few images of Fashion-MNIST."""

import csv

import pytest

NETWORK = [
    *("model=cifar10_quick", "model.relu=true", "trainer=cpu", "logger=csv", "callbacks.report.enabled=false"),
    "callbacks.model_summary.enabled=false",
]


def accuracies(sweep) -> list[float]:
    with (sweep / "sweep.csv").open() as file:
        return [float(row["objective"]) for row in csv.DictReader(file)]


@pytest.mark.slow
def test_fine_tuning_beats_a_training_from_nothing(train_here, tmp_path, cifar10_folder, fashion_mnist_folder):
    few = [
        *("-m", "data=fashion_mnist", f"data.data_dir={fashion_mnist_folder}", "data.image_size=32"),
        *("data.train_limit=500", "data.val_size=5000", "data.batch_size=32", "optimizer.lr=0.003", "seed=1,2,3"),
        *("trainer.max_epochs=10", "trainer.check_val_every_n_epoch=10", *NETWORK),
    ]
    cifar10 = ["data=cifar10", f"data.data_dir={cifar10_folder}", "data.train_limit=10000", "trainer.max_epochs=4"]
    done = train_here(*cifar10, *NETWORK, "hydra.run.dir=cifar10")
    assert done.status == 0, done.err
    weights = [f"model.weights={tmp_path}/cifar10/checkpoints/best.ckpt", "model.weights_skip_head=true"]
    for name, more in (("nothing", []), ("cifar10_weights", weights)):
        done = train_here(*few, *more, f"hydra.sweep.dir={name}")
        assert done.status == 0, done.err
    from_nothing, fine_tuned = accuracies(tmp_path / "nothing"), accuracies(tmp_path / "cifar10_weights")
    assert len(from_nothing) == len(fine_tuned) == 3
    assert sum(fine_tuned) / 3 > 0.785
    assert sum(fine_tuned) > sum(from_nothing)
