"""The thresholds of the rules, with evidence made by hand."""

import pytest

from litlab.callbacks.diagnosis import Evidence, Setup, verdict

FALLING = [2.3, 1.0, 0.6, 0.4, 0.3, 0.25]
NO_CHANGE = "no change, at a good level"  # of weights that were trained before


@pytest.mark.parametrize(
    ("evidence", "begins"),
    [
        (Evidence(), []),
        (Evidence(losses=[2.3]), []),
        (Evidence(losses=[2.3, 2.29], num_classes=10, plain_cross_entropy=True), ["stuck"]),
        (Evidence(losses=[2.3, 1.2], val=[0.9]), ["learning"]),
        (Evidence(losses=[2.3, 1.2], val=[0.9], val_r2=-0.01), ["learning", "worse than a guess"]),
        (Evidence(losses=[2.3, 1.2], val=[0.9], val_r2=0.0), ["learning"]),
        (Evidence(losses=[0.02, 0.02], num_classes=10, plain_cross_entropy=True, val=[0.03]), [NO_CHANGE]),
        (Evidence(losses=FALLING, train=FALLING, val=[0.9, 0.7, 0.6, 0.61, 0.6, 0.62]), ["learning"]),  # within noise
        (Evidence(losses=FALLING, train=FALLING, val=[0.9, 0.7, 0.6, 0.7, 0.8, 0.8]), ["overfitting"]),
        (Evidence(losses=FALLING, train=FALLING, val=[0.9, 0.7, 0.6, 3.0, 0.5, 0.49]), ["learning"]),  # an outlier
        (Evidence(losses=[2.3, 0.5, 0.4, 0.9, 1.5, 1.6], val=[0.5, 1.5]), ["diverged"]),
        (Evidence(losses=[2.3, 2.28, 2.3, 2.29], val=[2.2, 1.4]), ["wrong data"]),
        (Evidence(losses=[2.3, 2.28, 2.3, 2.29], val=[2.2, 1.4], steps=2), ["too short to tell"]),
        (Evidence(losses=[2.3, 2.29], steps=19), ["too short to tell"]),
        (Evidence(losses=[2.3, 2.29], steps=20), ["stuck"]),
        (Evidence(losses=[2.3, 1.9], steps=2), ["learning"]),
        (Evidence(nonfinite_step=0, before_training=True), ["wrong start"]),
        (Evidence(nonfinite_step=0), ["diverged"]),
        (Evidence(losses=[2.3, 0.4], val=[0.3, 0.29], waited=0.9, trained=1.0), ["learning"]),  # no second is lost
        (Evidence(losses=FALLING, train=FALLING, val=FALLING[1:], ended_early=True), ["learning"]),
    ],
)
def test_thresholds(evidence, begins):
    evidence.setup = Setup(lr=0.01)
    assert [sentence.split(":")[0] for sentence in verdict(evidence)] == begins


@pytest.mark.parametrize(("support", "begins"), [([50, 50], [NO_CHANGE]), ([93, 7], ["stuck"]), ([], [NO_CHANGE])])
def test_a_network_that_knows_its_classes_is_not_stuck(support, begins):
    """The loss of a new head hardly falls in a short fine-tuning, and the accuracy may be high all the same."""
    evidence = Evidence(losses=[0.69, 0.68], num_classes=2, plain_cross_entropy=True, val_acc=0.93, support=support)
    evidence.predicted = support
    assert [sentence.split(":")[0] for sentence in verdict(evidence)] == begins


def test_more_epochs_are_no_advice_where_early_stopping_ended_the_run():
    short = Evidence(losses=[2.3, 2.29], steps=6, ended_early=True)
    assert verdict(short)[0].endswith("; try trainer.max_epochs=34")
    short.stopped_early = True
    assert verdict(short)[0].endswith("; try a larger callbacks.early_stopping.patience")


def test_an_accuracy_above_chance_is_not_at_chance():
    flat = Evidence(losses=[2.3, 2.25], num_classes=10, plain_cross_entropy=True, steps=50)
    assert "at chance" in verdict(flat)[0]
    flat.val_acc = 0.311
    assert verdict(flat)[0].startswith("too short to tell")
    flat.steps = 100
    assert verdict(flat)[0].startswith("stuck")
    assert "at chance" not in verdict(flat)[0]


COLLAPSED = {
    "losses": [1.9, 1.4, 1.11, 1.1, 1.1],
    "val": [2.28, 1.2, 1.099],
    "num_classes": 3,
    "plain_cross_entropy": True,
    "val_acc": 1 / 3 + 1e-8,
    "support": [10, 10, 10],
    "predicted": [0, 30, 0],
    "class_names": ["cat", "dog", "emu"],
    "steps": 126,
}


@pytest.mark.parametrize(
    ("changes", "begins"),
    [
        ({}, "no better than a guess"),
        ({"steps": None}, "no better than a guess"),
        ({"steps": 99}, "learning"),
        ({"val_acc": 0.4, "predicted": [10, 20, 0]}, "learning"),
        ({"val": [2.28, 1.2, 0.95]}, "learning"),
        ({"losses": [1.9, 1.4, 1.0, 0.9, 0.9]}, "learning"),
        ({"support": [26, 2, 2], "val_acc": 26 / 30, "losses": [1.9, 0.6, 0.5], "val": [0.6, 0.5]}, "learning"),
        ({"plain_cross_entropy": False}, "learning"),
    ],
)
def test_a_network_that_fell_to_the_loss_of_a_guess_has_learned_nothing(changes, begins):
    evidence = Evidence(**(COLLAPSED | changes), setup=Setup(lr=0.02))
    first, *others = verdict(evidence)
    assert first.startswith(f"{begins}: train loss 1.9 to ")
    if begins != "learning":
        assert first.endswith("33.3%, with 1 of 3 classes ever predicted; try optimizer.lr=0.002 (it is 0.02)")
        assert not [sentence for sentence in others if "max_epochs" in sentence]


def test_a_guess_with_tiny_steps_needs_a_higher_learning_rate():
    first, *_ = verdict(Evidence(**COLLAPSED, updates=[1e-4], setup=Setup(lr=0.02)))
    assert first.endswith("try optimizer.lr=0.2 (it is 0.02)")


def test_a_flat_training_loss_of_another_kind_does_not_accuse_the_data():
    """Mixed images, for example: their loss is that of two classes each."""
    flat = Evidence(losses=[1.87, 2.1, 2.13], val=[1.5, 1.0], num_classes=10, plain_cross_entropy=True, val_acc=0.7)
    assert verdict(flat)[0].startswith("wrong data")
    flat.setup = Setup(comparable=False)
    assert verdict(flat)[0] == "learning: train loss 1.87 to 2.13, val loss 1.5 to 1, val accuracy 70.0%"
    flat.val = [1.9, 1.9]
    flat.val_acc = 0.2
    assert verdict(flat)[0].startswith("stuck")


NEVER_FELL = {"losses": [2.3, 1.1], "train": [1.1], "val": [5.7], "train_acc": 0.73, "val_acc": 0.09}


@pytest.mark.parametrize(
    ("steps", "passes", "batch_norm", "begins"),
    [
        (20, 0.4, True, "too short to tell"),
        (99, 5.0, True, "too short to tell"),  # the averages lag behind, however often an image was seen
        (20, 1.0, False, "too short to tell"),
        (20, 5.0, False, "overfitting"),
        (100, 5.0, True, "overfitting"),
        (100, 1.0, True, "validation differs"),
        (100, 1.49, False, "validation differs"),
        (None, None, False, "overfitting"),
    ],
)
def test_nothing_is_memorised_in_one_pass_or_before_batch_norm_has_settled(steps, passes, batch_norm, begins):
    (sentence, *_) = verdict(Evidence(**NEVER_FELL, steps=steps, passes=passes, setup=Setup(batch_norm=batch_norm)))
    assert sentence.startswith(f"{begins}: train loss 2.3 to 1.1, ")
    assert ("look at the labels" in sentence) == (begins == "overfitting")
    assert ("the averages of batch norm need more steps" in sentence) == (begins[:3] == "too" and batch_norm)


@pytest.mark.parametrize(("steps", "said"), [(5, []), (100, ["train accuracy 73.0% is far above val accuracy 16.0%"])])
def test_a_gap_of_the_accuracies_says_nothing_before_batch_norm_has_settled(steps, said):
    evidence = Evidence(losses=[2.3, 1.2], val=[2.0], train_acc=0.73, val_acc=0.16, steps=steps, passes=1.0)
    evidence.setup = Setup(batch_norm=True)
    assert [sentence.split(";")[0] for sentence in verdict(evidence)[1:]] == said


def test_several_validations_in_an_epoch_are_no_epochs():
    (_, improves) = verdict(Evidence(losses=[2.3, 1.0], train=[1.2], val=[1.2, 0.9, 0.72, 0.64], val_every=None))
    assert improves.startswith("still improving: the last part of an epoch lowered the val loss from 0.72 to 0.64")
    fell = [0.9, 0.5, 0.6, 0.7, 0.8, 0.9, 0.9, 0.9]
    (rose,) = verdict(Evidence(losses=FALLING, train=[1.0, 0.6, 0.4, 0.25], val=fell, val_every=None))
    assert "the val loss rose from 0.5 after epoch 1 to 0.9" in rose


def test_nan_before_the_first_step_is_not_blamed_on_the_learning_rate():
    (sentence,) = verdict(Evidence(nonfinite_step=0, before_training=True))
    assert "optimizer.lr" not in sentence
    assert "look for NaN or huge numbers in the data" in sentence


def test_pure_float16_is_the_likely_reason_of_nan():
    (sentence,) = verdict(Evidence(nonfinite_step=2, setup=Setup(pure_float16=True)))
    said = "trainer.precision=16-true alone can be the reason: try 16-mixed or bf16-true"
    assert sentence == f"diverged: the loss was NaN or infinite at step 2; {said}"


def test_what_is_in_use_is_not_proposed():
    used = Setup(augment=["random_crop"], weight_decay=0.02, clips=True, stops_early=True, lr=0.01)
    rose = Evidence(losses=FALLING, train=FALLING, val=[0.9, 0.7, 0.6, 0.7, 0.8, 0.8], num_classes=10, setup=used)
    (sentence,) = verdict(rose)
    assert sentence.endswith("; try more data")
    (sentence,) = verdict(Evidence(losses=[2.3], nonfinite_step=1, setup=used))
    assert sentence.endswith("; try optimizer.lr=0.001 (it is 0.01)")


def test_the_lowest_validation_loss_is_one_that_an_epoch_had():
    losses = [0.9, 0.7, 0.6, 0.8, 0.5, 0.9, 0.8, 0.9]
    (sentence,) = verdict(Evidence(losses=FALLING, train=[*FALLING, 0.2, 0.15], val=losses))
    assert "the val loss rose from 0.5 after epoch 5 to 0.9" in sentence


def test_a_run_that_was_stopped_is_not_told_of_classes_that_come_later():
    absent = Evidence(losses=FALLING, support=[50, 50], predicted=[100, 0], class_names=["cat", "dog"])
    assert [s.split(":")[0] for s in verdict(absent)] == ["learning", "never predicted"]
    absent.ended_early = True
    assert [s.split(":")[0] for s in verdict(absent)] == ["learning"]


@pytest.mark.parametrize(
    ("setup", "advice"),
    [
        (Setup(data_in="files", device="GPU", num_workers=2, cores=8), "try data.num_workers=4 (it is 2)"),
        (Setup(data_in="files", device="GPU", num_workers=2, cores=3), "try data.num_workers=3 (it is 2)"),
        (
            Setup(data_in="files", device="CPU", num_workers=2, cores=2),
            "try data.cache=memory, data.cache=disk or a smaller data.image_size",
        ),
        (Setup(data_in="memory", device="GPU"), "try data.device=gpu"),
        (Setup(data_in="gpu", device="GPU", engine="eager"), "try engine=graph"),
        (Setup(data_in="gpu", device="GPU", engine="graph"), None),
        (Setup(data_in="memory", device="CPU"), None),
    ],
)
def test_what_helps_a_device_that_waits(setup, advice):
    slow = Evidence(losses=[2.3, 0.4], val=[0.3, 0.29], waited=50.0, trained=100.0, setup=setup)
    said = [sentence for sentence in verdict(slow) if sentence.startswith("data too slow")]
    expected = f"data too slow: the {setup.device} waited 50% of the time for batches; {advice}"
    assert said == ([expected] if advice else [])


def test_at_most_four_sentences():
    everything = Evidence(
        losses=[9.0, 0.4],
        num_classes=10,
        plain_cross_entropy=True,
        train=[0.8, 0.4],
        val=[1.5, 0.9],
        train_acc=0.99,
        val_acc=0.7,
        units=[("relu", 90, 100)],
        updates=[0.5],
        waited=50.0,
        trained=100.0,
        support=[50, 50],
        predicted=[100, 0],
        class_names=["cat", "dog"],
    )
    assert [s.split(":")[0] for s in verdict(everything)] == [
        "learning",
        "wrong start",
        "dead ReLUs",
        "learning rate too high",
    ]
