"""The logger for TensorBoard, also while its folder is away."""

import pickle
import threading

import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.tensorboard import SummaryWriter

from litlab.callbacks import TensorBoard


def test_tensorboard_has_all_points(run, folder_away, capsys):
    board = TensorBoard(run)
    board.log_metrics({"a": 0.0}, step=0)
    board.save()
    back = folder_away(run)
    board.log_metrics({"a": 1.0}, step=1)
    board.save()
    board.log_metrics({"a": 2.0}, step=2)
    assert capsys.readouterr().err.count("warning: not written: TensorBoard's event file (Not a directory)") == 1
    back()
    board.log_metrics({"a": 3.0}, step=3)
    board.save()
    assert board.unsaved is None
    events = EventAccumulator(str(run))
    events.Reload()
    assert [(event.step, event.value) for event in events.Scalars("a")] == [(0, 0.0), (1, 1.0), (2, 2.0), (3, 3.0)]


def test_a_resumed_run_goes_on_where_it_was_saved(run):
    board = TensorBoard(run)
    for step in range(3):
        board.log_metrics({"a": float(step)}, step)
    state = board.state_dict()
    board.log_metrics({"a": 77.0}, step=3)  # lost: not saved
    board.save()
    resumed = TensorBoard(run)
    resumed.load_state_dict(state, step=2)
    resumed.log_metrics({"a": 3.0}, step=3)
    resumed.save()
    first, _ = sorted(run.iterdir())
    assert first.stat().st_size == state["sizes"][first.name]
    events = EventAccumulator(str(run))
    events.Reload()
    assert [(event.step, event.value) for event in events.Scalars("a")] == [(step, step) for step in range(4)]


def test_a_users_callback_has_all_that_torchs_writer_can_do(run):
    writer = TensorBoard(run).experiment
    assert isinstance(writer, SummaryWriter)
    with writer:
        writer.add_text("text", "words", 1)
        writer.add_histogram("histogram", torch.arange(10), 1)
        writer.add_image("image", torch.zeros(3, 4, 4), 1)
        writer.add_scalars("group", {"a": 1.0, "b": 2.0}, 1)
    writer.add_scalar("after closing", 1.0, 2)
    writer.flush()
    events = EventAccumulator(str(run))
    events.Reload()
    assert events.Tags()["images"] == ["image"]
    assert events.Tags()["histograms"] == ["histogram"]
    assert events.Tags()["scalars"] == ["after closing"]
    assert events.Tags()["tensors"] == ["text/text_summary"]
    assert {path.name for path in run.iterdir() if path.is_dir()} == {"group_a", "group_b"}


def test_a_copy_for_another_process_has_no_file(run):
    board = TensorBoard(run)
    board.log_metrics({"a": 1.0}, step=1)
    copy = pickle.loads(pickle.dumps(board))
    assert copy.unsaved is None
    copy.log_metrics({"b": 1.0}, step=1)
    copy.save()
    board.save()
    assert len(list(run.iterdir())) == 2


def test_nothing_waits_in_a_thread(run):
    before = threading.active_count()
    board = TensorBoard(run)
    board.log_metrics({"a": 1.0}, step=1)
    assert threading.active_count() == before
