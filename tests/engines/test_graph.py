"""Replays of a recorded step train as eager blocks do. On a CPU a tape stands for the CUDA graph."""

import functools

import pytest
import torch
from faults.compare import unequal
from quiet_runs import COLOUR, QUIET, TINY, WHITENED
from recorded_runs import record_run, train_recorded
from tape import TapeRecorder
from torch.utils._python_dispatch import TorchDispatchMode

from litlab.engines import GraphBlocks, choose
from litlab.errors import RunFailed
from litlab.networks import MLP
from litlab.training import build


@pytest.fixture(autouse=True)
def tape(monkeypatch):
    """A recorder that works on the CPU, and counts its replays."""
    counted = {"replays": 0}

    class Tape(TapeRecorder):
        def replay(self):
            counted["replays"] += 1
            super().replay()

    taped = functools.partial(choose.choose_engine, recorder=Tape)
    monkeypatch.setattr(build, "choose_engine", taped)
    return counted


LONGER = [*TINY, "trainer.max_epochs=3"]
SAME = {
    "adam and a cosine": LONGER,
    "no schedule": [*LONGER, "scheduler=none"],
    "one cycle": [*LONGER, "scheduler=one_cycle"],
    "linear schedule with warm-up": [*LONGER, "scheduler=linear", "scheduler.warmup_epochs=0.5"],
    "plateau with warm-up": [*LONGER, "scheduler=plateau", "scheduler.patience=0", "scheduler.warmup_epochs=1.5"],
    "sgd": [*LONGER, "optimizer=sgd", "optimizer.momentum=0.9", "optimizer.weight_decay=0.001"],
    "adamw": [*LONGER, "optimizer=adamw"],
    "gradient clipping": [*LONGER, "trainer.gradient_clip_val=0.1"],
    "label smoothing and class weights": [
        *(*LONGER, "loss.label_smoothing=0.1", "loss.class_weights=[1,2,3,1,2,3,1,2,3,1]")
    ],
    "muon, batch norm, alternating flip": [
        *(*WHITENED, "optimizer=muon", "scheduler=linear", "trainer.max_epochs=3", "data.augment=[alternating_flip]")
    ],
    "a backbone that is unfrozen": [
        *(*LONGER, "+model.freeze=backbone", "model.unfreeze_at=1", "optimizer.backbone_factor=0.5")
    ],
    "validation within epochs": [*LONGER, "+trainer.val_check_interval=5"],
    "checkpoints within epochs": [*LONGER, "checkpoint.every_n_steps=3"],
    "convolutions in bfloat16": [
        *("data=mnist_sample", "data.train_limit=650", "model=lenet5", *QUIET, "trainer.precision=bf16-mixed"),
        *(
            "optimizer=sgd",
            "optimizer.lr=0.0625",
            "scheduler=none",
        ),  # a rate without rounding: bfloat16 would amplify it
    ],
}
DRAWN = {  # random numbers are drawn in each replay
    "dropout": [*LONGER, "model.dropout=0.5"],
    "random augmentations": [*COLOUR, "model=mlp", "data.augment=[random_crop,random_horizontal_flip,cutout]"],
}
QUICK = ("muon, batch norm, alternating flip", "dropout")


def close(one, other):
    """Whether two checkpoints hold the same numbers but for the rounding of learning rates to 32 bits."""
    a, b = (torch.load(run / "checkpoints/last.ckpt", weights_only=True) for run in (one, other))
    for name, tensor in a["state_dict"].items():
        torch.testing.assert_close(tensor, b["state_dict"][name], rtol=1e-4, atol=1e-5)
    assert unequal(a["loops"], b["loops"]) == []
    best = [[schedule.pop("best", 0.0) for schedule in checkpoint["lr_schedulers"]] for checkpoint in (a, b)]
    assert best[0] == pytest.approx(best[1], rel=1e-6)  # a loss of plateau's, as close as the weights
    assert unequal(a["lr_schedulers"], b["lr_schedulers"]) == []
    rates = [[group["lr"] for group in checkpoint["optimizer_states"][0]["param_groups"]] for checkpoint in (a, b)]
    assert rates[0] == rates[1]
    assert [type(rate) for rate in rates[0]] == [float] * len(rates[0])


@pytest.mark.parametrize(
    "feature", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in (*SAME, *DRAWN)]
)
def test_replays_train_as_blocks_do(tmp_path, tape, feature):
    overrides = (SAME | DRAWN)[feature]
    for engine in ("blocks", "graph"):
        record_run(tmp_path / engine, *overrides, f"engine={engine}", base=[])
        train_recorded(tmp_path / engine)
    assert tape["replays"] > 5
    close(tmp_path / "graph", tmp_path / "blocks")
    tables = [(tmp_path / engine / "metrics.csv").read_text().splitlines() for engine in ("graph", "blocks")]
    assert [line.split(",")[:2] for line in tables[0]] == [line.split(",")[:2] for line in tables[1]]


class NothingIsRead(TorchDispatchMode):
    """Operations for which the CPU would wait for a GPU are an error."""

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        if operation.overloadpacket in WAITING:
            raise AssertionError(f"{operation} waits for the device")
        return operation(*args, **(kwargs or {}))


aten = torch.ops.aten
WAITING = (aten._local_scalar_dense, aten.is_nonzero, aten.nonzero, aten.bincount, aten._unique2, aten.masked_select)


@pytest.mark.slow
@pytest.mark.parametrize("feature", ["adam and a cosine", "gradient clipping", "validation within epochs"])
def test_between_two_blocks_nothing_waits_for_the_device(tmp_path, tape, monkeypatch, feature):
    replay = GraphBlocks.replay

    def watched(engine, block):
        with NothingIsRead():
            return replay(engine, block)

    monkeypatch.setattr(GraphBlocks, "replay", watched)
    record_run(tmp_path / "run", *SAME[feature], "engine=graph", base=[])
    train_recorded(tmp_path / "run")
    assert tape["replays"] > 5


class ReadsOnTheHost(MLP):
    """A network that reads a value of a tensor, which a graph cannot."""

    def forward(self, images):
        hidden = super().forward(images)
        return hidden * 2 if hidden.abs().max().item() > 1e6 else hidden


class CountsInPython(MLP):
    """A network whose captured step goes on with the plain number of the recording."""

    calls = 0

    def forward(self, images):
        CountsInPython.calls += 1
        return super().forward(images) * CountsInPython.calls


def own_network(cls):
    return [*LONGER, f"model._target_={__name__}.{cls.__name__}"]


def test_a_network_that_reads_a_value_trains_eagerly_and_the_log_says_why(tmp_path, tape, caplog):
    caplog.set_level("INFO")
    for engine in ("blocks", "auto"):
        record_run(tmp_path / engine, *own_network(ReadsOnTheHost), f"engine={engine}", base=[])
        train_recorded(tmp_path / engine)
    assert tape["replays"] == 0
    assert "the step cannot be captured: a value is read on the host" in caplog.text
    close(tmp_path / "auto", tmp_path / "blocks")


def test_with_engine_graph_a_network_that_reads_a_value_is_an_error(tmp_path, tape):
    record_run(tmp_path / "run", *own_network(ReadsOnTheHost), "engine=graph", base=[])
    said = r"engine=graph: the step cannot be captured: a value is read on the host \(.*tape\.py, line \d+\); use"
    with pytest.raises(RunFailed, match=said):
        train_recorded(tmp_path / "run")


def test_a_recording_that_computes_something_else_is_never_trained_with(tmp_path, tape):
    record_run(tmp_path / "run", *own_network(CountsInPython), "engine=graph", base=[])
    with pytest.raises(RunFailed, match=r"its loss differs by \d+% from the eager step's"):
        train_recorded(tmp_path / "run")
    assert tape["replays"] == 1  # the trial
