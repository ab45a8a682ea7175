"""Errors that end a training, in words for a user."""

import signal
from types import SimpleNamespace

import pytest
import torch
from recorded_runs import LINE, record_run, train_recorded
from scripts import QUICK, asked
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.api_pb2 import STATUS_FAILURE
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from litlab.data.workers import WorkerFailed
from litlab.errors import Interrupted, RunFailed
from litlab.training.failure import explain


def test_nan_stops_the_run_and_keeps_the_last_good_checkpoint(train_here, tmp_path):
    done = train_here(*QUICK, "optimizer=sgd", "optimizer.lr=1e20")
    assert done.status == 1, done.err
    assert done.err.count("\n") == 1
    assert "the loss became" in done.err
    assert "at step 1:" in done.err
    assert "optimizer.lr" in done.err
    result = done.result
    assert result["status"] == "failed"
    assert result["best_checkpoint"] is None  # it diverged before the first epoch ended
    assert result["diagnosis"][0].startswith("diverged: the loss was NaN or infinite at step 1; try optimizer.lr=")
    row = EventAccumulator(str(done.runs[0])).Reload().summary_metadata
    ended = HParamsPluginData.FromString(row["_hparams_/session_end_info"].plugin_data.content)
    assert ended.session_end_info.status == STATUS_FAILURE
    columns = HParamsPluginData.FromString(row["_hparams_/experiment"].plugin_data.content).experiment.metric_infos
    results = {f"result/{split}/{name}" for split in ("train", "val") for name in ("loss", "acc")}
    assert {info.name.tag for info in columns} == {*results, "test/loss", "test/acc"}


@pytest.mark.slow
def test_float16_alone_is_named_as_the_reason(train_here):
    done = train_here(*QUICK, "trainer.precision=16-true")
    assert done.status == 1
    advice = "trainer.precision=16-true alone can be the reason: try 16-mixed or bf16-true"
    assert done.err.endswith(f": {advice}\n")
    assert done.result["diagnosis"][0].endswith(f"; {advice}")


def test_without_a_rewind_the_message_names_it_and_the_last_checkpoint(tmp_path):
    run = tmp_path / "run"
    record_run(run, "optimizer.lr=0.25", "on_nan=stop", base=LINE)
    with pytest.raises(RunFailed, match="or on_nan=rewind; the last good checkpoint is checkpoints/last.ckpt"):
        train_recorded(run)


def parts_of(run, processes=1):
    """What `explain` looks at: the run, and the devices of its Trainer."""
    strategy = SimpleNamespace(root_device=torch.device("cpu"))
    return SimpleNamespace(run=run, checkpoints=None, trainer=SimpleNamespace(world_size=processes, strategy=strategy))


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (torch.OutOfMemoryError("CUDA"), "out of memory on cpu with data.batch_size=64: try data.batch_size=32,"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "out of memory on cpu"),
        (WorkerFailed("worker 0 of 2 was killed"), "a data worker died or hung (worker 0 of 2 was killed);"),
        (
            RuntimeError("DataLoader worker (pid 7) is killed\nmore"),
            "a data worker died or hung (DataLoader worker (pid",
        ),
    ],
)
def test_a_known_cause_is_one_line(error, message):
    status, failure = explain(error, parts_of(asked()))
    assert (status, type(failure)) == ("failed", RunFailed)
    assert str(failure).startswith(message)
    assert "\n" not in str(failure)


def test_a_lost_process_is_named_only_if_there_are_several():
    error = RuntimeError("[enforce fail] Gloo connectFullMesh failed")
    _, failure = explain(error, parts_of(asked(), processes=2))
    assert str(failure).startswith("another process of this run died or was cut off")
    assert explain(error, parts_of(asked())) == ("failed", error)


def test_a_signal_ends_with_its_exit_status():
    status, failure = explain(Interrupted(signal.SIGTERM), parts_of(asked()))
    assert (status, failure.status) == ("interrupted", 143)
