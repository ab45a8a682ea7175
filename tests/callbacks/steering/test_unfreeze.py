"""With `model.unfreeze_at`, a frozen backbone is trained too from that epoch on."""

import pytest
import torch
from faults.compare import differences
from quiet_runs import WHITENED
from recorded_runs import TINY, WITHOUT_FAULT, record_run, stop_at, train_recorded
from scripts import asked, finish, start

from litlab import config
from litlab.errors import ConfigError, RunFailed
from litlab.training.assemble import assemble
from litlab.training.build import make_unfreeze

FROZEN = ["+model.freeze=backbone", "model.unfreeze_at=1"]  # of 3 epochs of 10 steps
SLOWER = [*FROZEN, "optimizer.backbone_factor=0.5", "ema=0.9", "optimizer=adamw", "logger=csv", "checkpoint.keep=all"]


def never_stopped(factory, *overrides):
    """The folder of a run that was never stopped, with the checkpoints of all epochs."""
    folder = factory.mktemp("never_stopped") / "run"
    record_run(folder, *overrides)
    train_recorded(folder)
    return folder


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    return never_stopped(tmp_path_factory, *SLOWER)


def test_the_backbone_stands_still_until_its_epoch(undisturbed):
    epochs = [torch.load(undisturbed / f"checkpoints/epoch_00{n}.ckpt", weights_only=True) for n in (1, 2, 3)]
    first, second, third = ({k: v.clone() for k, v in epoch["ema"]["trained"].items()} for epoch in epochs)
    *backbone, weight, bias = first
    assert all(torch.equal(first[name], epochs[0]["state_dict"][f"network.{name}"]) for name in backbone)
    assert not any(torch.equal(first[name], second[name]) for name in (*backbone, weight, bias))
    assert not any(torch.equal(second[name], third[name]) for name in (*backbone, weight, bias))
    rates = [[group["lr"] for group in epoch["optimizer_states"][0]["param_groups"]] for epoch in epochs]
    assert all(slow == pytest.approx(0.5 * fast) for fast, slow in rates)


@pytest.mark.parametrize(
    ("hook", "step"),
    [
        pytest.param("on_train_batch_start", 5, id="before that epoch", marks=pytest.mark.slow),
        pytest.param("on_train_epoch_end", 10, id="between", marks=pytest.mark.slow),
        pytest.param("on_train_batch_start", 14, id="within that epoch"),
    ],
)
def test_a_run_that_is_stopped_and_resumed_is_the_same_run(tmp_path, undisturbed, hook, step):
    record_run(tmp_path / "run", *SLOWER, stop_at(step, hook))
    with pytest.raises(RunFailed, match="stopped by SIGTERM"):
        train_recorded(tmp_path / "run")
    train_recorded(tmp_path / "run", WITHOUT_FAULT)
    assert differences(tmp_path / "run", undisturbed) == []


MOMENTUM = [*FROZEN, "optimizer=sgd", "optimizer.momentum=0.9", "checkpoint.keep=all", "logger=csv"]


@pytest.fixture(scope="module")
def with_momentum(tmp_path_factory):
    return never_stopped(tmp_path_factory, *MOMENTUM)


def test_the_fused_momentum_of_a_late_backbone_is_that_of_the_loop(tmp_path, with_momentum):
    record_run(tmp_path / "run", *MOMENTUM, "optimizer.fused=false")
    train_recorded(tmp_path / "run")
    weights = [
        torch.load(folder / "checkpoints/epoch_003.ckpt", weights_only=True)["state_dict"]
        for folder in (tmp_path / "run", with_momentum)
    ]
    torch.testing.assert_close(*weights, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("step", [5, 14])
def test_a_resumed_run_with_momentum_is_the_same_run(tmp_path, with_momentum, step):
    record_run(tmp_path / "run", *MOMENTUM, stop_at(step))
    with pytest.raises(RunFailed, match="stopped by SIGTERM"):
        train_recorded(tmp_path / "run")
    train_recorded(tmp_path / "run", WITHOUT_FAULT)
    assert differences(tmp_path / "run", with_momentum) == []


def test_batch_norm_takes_statistics_from_that_epoch_on(tmp_path):
    small = [*WHITENED, "scheduler=none", "+model.freeze=backbone", "checkpoint.keep=all"]
    record_run(tmp_path / "run", *small, "model.unfreeze_at=1", base=[])
    train_recorded(tmp_path / "run")
    first, second = (
        torch.load(tmp_path / f"run/checkpoints/epoch_00{n}.ckpt", weights_only=True)["state_dict"] for n in (1, 2)
    )
    means = [name for name in first if name.endswith("running_mean")]
    assert means
    assert all(not first[name].any() and second[name].any() for name in means)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["model.unfreeze_at=1"], r"no layer is frozen; write model\.freeze=backbone beside it, or leave it out$"),
        (["+model.freeze=backbone", "model.unfreeze_at=-1"], "must be at least 0$"),
        (["+model.freeze=backbone", "model.unfreeze_at=3"], r"must be less than trainer\.max_epochs=3; "),
        (["+model.freeze=backbone", "model.unfreeze_at=1", "trainer.strategy=fsdp"], "not with trainer=fsdp"),
    ],
)
def test_an_epoch_that_cannot_be_is_refused_before_the_training(overrides, message):
    def checked(run):
        config.check(run.cfg)
        make_unfreeze(run, assemble(run)[2])

    with pytest.raises(ConfigError, match=rf"^model\.unfreeze_at=-?\d: {message}"):
        checked(asked(*TINY, *overrides))


def test_factors_of_a_backbone_that_is_never_trained_are_said_to_do_nothing(capfd):
    composed = asked(*WHITENED, "+model.freeze=backbone", "optimizer.backbone_factor=0.5")
    _, _, module = assemble(composed)
    assert make_unfreeze(composed, module) is None
    said = " ".join(capfd.readouterr().err.split())
    assert "optimizer.backbone_factor=0.5 does nothing, because model.freeze=backbone trains the head alone" in said


@pytest.mark.slow
def test_two_processes_unfreeze_as_one(train, tmp_path):
    short = [*TINY, *FROZEN, "optimizer=sgd", "trainer.max_epochs=2", "data.augment=[]", "logger=none"]
    short += ["trainer.precision=32-true"]  # bfloat16 rounds other sums on each kind of CPU
    done = train(*short, "trainer=ddp_cpu")
    assert done.status == 0, done.err
    alone = finish(start("train.py", *short, folder=tmp_path), tmp_path)
    assert alone.status == 0, alone.err
    both, one = (torch.load(run / "checkpoints/last.ckpt", weights_only=True)["state_dict"] for run in alone.runs)
    for name, weights in one.items():
        torch.testing.assert_close(both[name], weights, rtol=1e-4, atol=1e-5)
