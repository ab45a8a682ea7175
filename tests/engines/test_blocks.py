"""Blocks of steps leave the very files that Lightning's own loop leaves: weights, optimizer, tables, curves, result."""

import pytest
import torch
from faults.compare import differences
from pictures import draw_folder
from quiet_runs import COLOUR, LINE, QUIET, TINY, WHITENED
from recorded_runs import record_run, stop_at, train_recorded

from litlab.errors import ConfigError, RunFailed

FEATURES = {
    "as it is": [],
    "no schedule": ["scheduler=none"],
    "linear schedule with warm-up": ["scheduler=linear", "scheduler.warmup_epochs=0.5"],
    "step schedule": ["scheduler=step"],
    "one cycle": ["scheduler=one_cycle"],
    "plateau with warm-up": ["scheduler=plateau", "scheduler.patience=0", "scheduler.warmup_epochs=1.5"],
    "gradient clipping": ["trainer.gradient_clip_val=0.1"],
    "label smoothing": ["loss.label_smoothing=0.1"],
    "class weights": ["loss.class_weights=[1,2,3,1,2,3,1,2,3,1]"],
    "log-softmax and NLL": ["loss=nll"],
    "dropout": ["model.dropout=0.5"],
    "sgd with momentum": ["optimizer=sgd", "optimizer.momentum=0.9", "optimizer.weight_decay=0.001"],
    "adamw": ["optimizer=adamw"],
    "optimizer that is not fused": ["optimizer.fused=false"],
    "images resized on the device": ["data.image_size=20"],
    "accumulated gradients": ["trainer.accumulate_grad_batches=3"],
    "accumulated gradients and validation within epochs": [
        *("trainer.accumulate_grad_batches=3", "+trainer.val_check_interval=4", "checkpoint.every_n_steps=2")
    ],
    "no smaller last batch": ["data.drop_last=true"],
    "balanced classes": ["data.balanced=true"],
    "limited batches": ["trainer.limit_train_batches=7"],
    "a limited number of steps": ["+trainer.max_steps=15", "trainer.max_epochs=null", "scheduler=none"],
    "validation within epochs": ["+trainer.val_check_interval=5"],
    "validation every other epoch": ["trainer.check_val_every_n_epoch=2"],
    "checkpoints within epochs": ["checkpoint.every_n_steps=3"],
    "early stopping": ["callbacks.early_stopping.enabled=true", "callbacks.early_stopping.patience=1"],
    "bfloat16": ["trainer.precision=bf16-mixed", "data.augment=[random_crop]"],
    "data workers": ["data.num_workers=2"],
    "top five": ["top5=true"],
    "a backbone that is unfrozen": ["+model.freeze=backbone", "model.unfreeze_at=1", "optimizer.layer_decay=0.5"],
    "few steps": ["data.train_limit=100"],
}
AUGMENT = "data.augment=[alternating_flip,random_crop,random_horizontal_flip,cutout,{name: color_jitter, hue: 0.1}]"
OTHERS = {  # beside another data set or network
    "auxiliary heads": [*COLOUR, "model=googlenet", "data.batch_size=40", "trainer.max_epochs=1"],
    "batch norm, whitening, muon": [*WHITENED, "optimizer=muon", "scheduler=linear"],
    "all augmentations": [*COLOUR, "model=mlp", "data.batch_size=32", AUGMENT],
    "regression": LINE,
    "going back after a NaN": [*LINE, "on_nan=rewind", "optimizer.lr=0.25"],
}
QUICK = (
    "as it is",
    "plateau with warm-up",
    "accumulated gradients and validation within epochs",
    "batch norm, whitening, muon",
)
TABLE = {name: [*TINY, *overrides] for name, overrides in FEATURES.items()} | OTHERS


def run_both(tmp_path, overrides, one="eager", other="blocks"):
    for engine in (one, other):
        record_run(tmp_path / engine, *overrides, f"engine={engine}", base=[])
        train_recorded(tmp_path / engine)
    return tmp_path / one, tmp_path / other


@pytest.mark.parametrize(
    "feature", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in TABLE]
)
def test_blocks_leave_what_eager_steps_leave(tmp_path, feature):
    eager, blocks = run_both(tmp_path, TABLE[feature])
    assert differences(blocks, eager) == []


@pytest.mark.slow
def test_blocks_of_pictures_from_files(tmp_path):
    draw_folder(tmp_path / "pictures", count=20)
    pictures = [
        f"data.data_dir={tmp_path / 'pictures'}",
        "data.image_size=24",
        "data.batch_size=8",
        "data.random_crop=true",
    ]
    eager, blocks = run_both(tmp_path, ["data=image_folder", "model=mlp", *pictures, *QUIET, "data.num_workers=1"])
    assert differences(blocks, eager) == []


ENGINES = [
    ("blocks", "eager"),
    pytest.param("blocks", "blocks", marks=pytest.mark.slow),
    pytest.param("eager", "blocks", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("saved_by", "gone_on_by"), ENGINES)
@pytest.mark.parametrize("step", [8, pytest.param(12, marks=pytest.mark.slow)])
def test_stopped_and_resumed_by_any_engine(tmp_path, saved_by, gone_on_by, step):
    more = ["data.augment=[random_crop]", "model.dropout=0.3", "trainer.max_epochs=3"]
    peace = tmp_path / "peace"
    record_run(peace, *more, base=TINY)
    train_recorded(peace)
    run = tmp_path / "run"
    fault = stop_at(step)
    record_run(run, *more, f"engine={saved_by}", fault, base=TINY)
    with pytest.raises(RunFailed, match="stopped by SIGTERM"):
        train_recorded(run)
    assert step <= torch.load(run / "checkpoints/last.ckpt", weights_only=True)["global_step"] < step + 5
    train_recorded(run, "callbacks.fault.enabled=false", f"engine={gone_on_by}")
    assert differences(run, peace) == []


def test_what_cannot_be_is_refused_with_the_reason(tmp_path):
    for overrides, reason in (
        (["engine=graph"], "engine=graph: it needs a CUDA GPU; use engine=auto"),
        (["engine=often"], "engine=often: must be one of auto, eager, blocks, graph"),
    ):
        record_run(tmp_path / reason[:12], *overrides, base=TINY)
        with pytest.raises(ConfigError, match=reason):
            train_recorded(tmp_path / reason[:12])
