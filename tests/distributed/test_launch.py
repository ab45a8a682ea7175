"""Runs of several processes that litlab starts itself, and what the watching process is told."""

import json
import signal

import pytest
from scripts import QUICK, REPOSITORY, finish, start
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util.tensor_util import make_ndarray

from litlab.distributed import leave_last_word
from litlab.distributed.launch import start_ranks
from litlab.errors import ConfigError, RunFailed


@pytest.mark.slow
def test_two_processes_train_as_one(train, tmp_path):
    short = [*QUICK, "data.batch_size=50", "trainer.precision=32-true"]  # bfloat16 rounds otherwise on each kind of CPU
    done = train(*short, "trainer=ddp_cpu")
    assert done.status == 0, done.err
    alone = finish(start("train.py", *short, folder=tmp_path), tmp_path)
    assert alone.status == 0, alone.err
    both, one = (json.loads((run / "result.json").read_text()) for run in alone.runs)
    assert both["steps"] == one["steps"] == 70
    for name, value in one["metrics"].items():
        assert both["metrics"][name] == pytest.approx(value, abs=2e-3), name
    assert "deprecated" not in done.err
    assert "litlab predict" not in done.out
    assert f"use it        python {REPOSITORY / 'predict.py'} ckpt=" in done.out
    assert len(list(alone.runs[0].glob("events*"))) == 1
    assert both["diagnosis"][0].startswith("learning: ")
    for run in alone.runs:  # TensorBoard shows the whole validation set, not rank 0's share
        seen = EventAccumulator(str(run))
        seen.Reload()
        for name in "0123456789":
            (curve,) = seen.Tensors(f"precision_recall/{name}")
            assert (make_ndarray(curve.tensor_proto)[:4].sum(0) == 500).all()
        assert len(seen.Images("view/wrong/val")) == len(seen.Images("view/confusion/val")) == 1


@pytest.mark.slow
def test_fsdp_shards_convolutions(train, tmp_path):
    """Their weights are channels last otherwise, which FSDP refuses."""
    short = [*QUICK, "model=mnist_cnn", "data.batch_size=50", "trainer.max_epochs=1", "trainer.limit_train_batches=10"]
    short += ["trainer.precision=32-true"]  # bfloat16 rounds otherwise on each kind of CPU
    both = train(*short, "trainer=ddp_cpu", "trainer.strategy=fsdp")
    assert both.status == 0, both.err
    alone = finish(start("train.py", *short, folder=tmp_path), tmp_path)
    found = [json.loads((run / "result.json").read_text())["metrics"] for run in alone.runs]
    assert len(found) == 2
    assert found[0] == pytest.approx(found[1], abs=2e-3)


@pytest.mark.slow
def test_a_mistake_under_ddp_is_still_one_line(train):
    done = train(*QUICK, "trainer=ddp_cpu", "data.batch_size=51")
    assert done.status == 2
    assert done.err == "error: data.batch_size=51: must be a multiple of the 2 processes that share it\n"
    assert done.runs == []


@pytest.mark.slow
def test_a_rank_that_dies_without_a_word_is_named_with_its_exit_code():
    signals = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1]
    before = [signal.getsignal(signum) for signum in signals]
    with pytest.raises(RunFailed, match=r"^rank [01] ended with exit code 1$") as caught:
        start_ranks({"job": "evaluate", "run": None}, 2)  # there is no such run: a mistake that nobody expects
    assert caught.value.status == 1
    assert [signal.getsignal(signum) for signum in signals] == before, "a later job of a sweep would die of them"


def test_the_first_last_word_is_heard(tmp_path):
    message = tmp_path / "message.json"
    leave_last_word(message, ConfigError.__name__, "data.batch_size: too large", 2)
    leave_last_word(message, RunFailed.__name__, "rank 1 died", 128 + signal.SIGTERM)
    assert json.loads((tmp_path / "error.json").read_text()) == {
        "kind": "ConfigError",
        "message": "data.batch_size: too large",
        "status": 2,
    }
