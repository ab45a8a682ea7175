"""Workers that die or hang."""

import multiprocessing
import os
import signal
import time

import pytest

from litlab.data import EpochBatchSampler, collate
from litlab.data.loader import EpochLoader
from litlab.data.workers import WorkerFailed


@pytest.fixture
def new_process(monkeypatch):
    """The signal handlers of a process before its first DataLoader, which sets one."""
    monkeypatch.setattr("torch.utils.data._utils.signal_handling._SIGCHLD_handler_set", False)
    before = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGCHLD, before)


@pytest.mark.slow
@pytest.mark.usefixtures("new_process")
def test_the_death_of_a_worker_is_raised_where_a_batch_is_awaited(dataset):
    """torch raises it anywhere: in the middle of a save, it once looked like a full disk."""
    sampler = EpochBatchSampler(len(dataset), 1, shuffle=False, seed=0)
    loader = EpochLoader(dataset, sampler, collate_fn=collate, num_workers=2)
    others = multiprocessing.active_children()
    batches = iter(loader)
    next(batches)
    worker = next(child for child in multiprocessing.active_children() if child not in others)
    os.kill(worker.pid, signal.SIGKILL)
    time.sleep(0.5)
    with pytest.raises(WorkerFailed):
        list(batches)


@pytest.mark.slow
@pytest.mark.usefixtures("new_process")
def test_a_worker_that_hangs_is_killed_and_said(dataset):
    sampler = EpochBatchSampler(len(dataset), 1, shuffle=False, seed=0)
    loader = EpochLoader(dataset, sampler, patience=2, collate_fn=collate, num_workers=1, prefetch_factor=1)
    others = multiprocessing.active_children()
    batches = iter(loader)
    next(batches)
    (worker,) = [child for child in multiprocessing.active_children() if child not in others]
    os.kill(worker.pid, signal.SIGSTOP)
    with pytest.raises(WorkerFailed, match=r"^no batch for 2 s$"):
        list(batches)
    assert not worker.is_alive()
