"""Settings of different groups go together: each pair of values is in a run that trains, resumes and is measured again.

A fault often needs two settings at once, such as an average of the weights and one of the optimizers. All pairs fit
into some forty small runs.
"""

import pytest
from pairwise import MUON, check_run, runs_with_every_pair, typed

pytestmark = pytest.mark.slow

SMALL = [
    *("data=mnist_sample", "data.train_limit=56", "data.val_size=16", "data.batch_size=8", "trainer=cpu", "test=false"),
    *("trainer.max_epochs=2", "trainer.log_every_n_steps=3", "callbacks.model_summary.enabled=false"),
    *("callbacks.report.enabled=false", "logger=csv"),
]  # two epochs of seven batches

STOP = 6  # steps: before the last batch of an epoch, or within the second where a step takes two batches

# What a group may be, as it is typed. `-` is what litlab does by itself.
CHOICES = {
    "network": [
        "model=mlp",
        "model=mnist_cnn",
        "model=vit model.depth=2 model.width=12",
        "model=whitened_cnn",
    ],
    "optimizer": ["-", "optimizer=adamw", "optimizer=sgd", "optimizer=sgd optimizer.momentum=0.9", MUON],
    "averaged": ["-", "ema=0.9", "swa=0.5"],
    "schedule": [
        "-",
        "scheduler=none",
        "scheduler=step",
        "scheduler=one_cycle",
        "scheduler=plateau",
    ],
    "mixed": ["-", "mix=mixup mix.until=0.5", "mix=cutmix", "mix=both"],
    "augmented": ["-", "data.augment=[rand_augment]", "data.augment=[random_crop,random_erasing]"],
    "precision": ["-", "trainer.precision=bf16-mixed", "trainer.precision=bf16-true", "trainer.precision=64-true"],
    "accumulated": ["-", "trainer.accumulate_grad_batches=2"],
    "clipped": ["-", "trainer.gradient_clip_val=0.5"],
    "engine": ["engine=eager", "engine=blocks"],
    "loss": ["-", "loss.class_weights=balanced", "loss.label_smoothing=0.1", "loss=nll"],
    "groups": [
        "-",
        "optimizer.decay_norm_and_bias=false",
        "optimizer.layer_decay=0.7",
        "optimizer.backbone_factor=0.5",
    ],
    "frozen": ["-", "++model.freeze=backbone", "++model.freeze=backbone model.unfreeze_at=1"],
    "metrics": ["-", "metrics=f1_auroc", "metrics=calibration top5=true"],
    "kept": ["-", "checkpoint.keep=all", "checkpoint.keep=1", "checkpoint.every_n_steps=3"],
    "validated": ["-", "trainer.val_check_interval=0.5", "trainer.check_val_every_n_epoch=2"],
    "ended": [
        "-",
        "callbacks.early_stopping.enabled=true",
        "on_nan=rewind",
        "trainer.max_epochs=3 trainer.max_steps=16",
    ],
}

# Pairs that are refused, each in a line of its own test.
REFUSED = [
    (MUON, CHOICES["groups"][1:]),  # it has groups of its own
    ("ema=0.9", ["trainer.precision=bf16-true", "trainer.precision=64-true"]),  # averages have 32 bits
    ("swa=0.5", ["trainer.precision=bf16-true", "trainer.precision=64-true"]),
]

RUNS = runs_with_every_pair(CHOICES, REFUSED)


@pytest.mark.parametrize("number", range(len(RUNS)))
def test_each_two_settings_go_together(tmp_path, use, number):
    check_run(tmp_path, typed(RUNS[number]), SMALL, STOP, use)
