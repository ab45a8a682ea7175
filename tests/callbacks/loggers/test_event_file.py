"""The event file is the one that torch and TensorBoard write."""

import re
import struct
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.tensorflow_stub import pywrap_tensorflow
from torch.utils.tensorboard import SummaryWriter

from litlab.callbacks.loggers import event_file
from litlab.callbacks.loggers.event_file import EventFile, EventWriter, as_record, masked_crc32c


@pytest.mark.parametrize("data", [b"", b"a", bytes(range(256)) * 9])
def test_checksums_are_tensorboards(data):
    assert int.from_bytes(masked_crc32c(data), "little") == pywrap_tensorflow.masked_crc32c(data)


def events(folder: Path) -> list[Event]:
    (file,) = folder.iterdir()
    return [Event.FromString(record) for record in RawEventFileLoader(str(file)).Load()]


def write_some(writer: SummaryWriter) -> None:
    for step in range(3):
        writer.add_scalar("a", step / 3, step, walltime=1.0)
    writer.add_text("words", "text", 3, walltime=1.0)
    writer.add_histogram("values", torch.tensor([1.0, 2.0, 5.0]), 3, walltime=1.0)
    writer.close()


@pytest.mark.parametrize("purge_step", [None, 7])
def test_events_are_torchs(tmp_path, purge_step):
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    write_some(SummaryWriter(str(theirs), purge_step=purge_step))
    write_some(EventWriter(ours, purge_step))
    expected, found = events(theirs), events(ours)
    assert len(found) == len(expected) == 6 + 2 * (purge_step is not None)
    for event in (*expected, *found):
        event.wall_time = 0.0
        event.ClearField("source_metadata")
    assert found == expected
    assert found[0].file_version == "brain.Event:2"


def test_a_record_is_as_long_as_it_says():
    record = as_record(b"content")
    assert struct.unpack("<Q", record[:8]) == (7,)
    assert record[12:19] == b"content"
    assert len(record) == 12 + 7 + 4


def test_the_writer_has_the_attributes_of_torchs(tmp_path):
    theirs, ours = SummaryWriter(str(tmp_path / "theirs")), EventWriter(tmp_path / "ours")
    public = {name for name in vars(theirs) if not name.startswith("_")}
    assert public <= set(vars(ours))
    assert ours.default_bins == theirs.default_bins
    same = ("max_queue", "flush_secs", "filename_suffix", "purge_step")
    assert [getattr(ours, name) for name in same] == [getattr(theirs, name) for name in same]
    assert ours.get_logdir() == str(tmp_path / "ours")
    theirs.close()


def test_files_are_named_as_tensorboard_names_them(tmp_path):
    first, second = EventFile(tmp_path), EventFile(tmp_path)
    assert first.file.path != second.file.path
    for file in tmp_path.iterdir():
        assert re.fullmatch(r"events\.out\.tfevents\.\d{10}\..+\.\d+\.\d", file.name)


def test_events_wait_until_they_are_many_or_old(tmp_path, monkeypatch):
    file = EventFile(tmp_path)
    size = file.file.path.stat().st_size
    file.add_event(Event(step=1))
    assert file.file.path.stat().st_size == size
    file.flush()
    assert file.file.path.stat().st_size > size
    size = file.file.path.stat().st_size
    file.add_event(Event(step=2, graph_def=bytes(event_file.MOST_BYTES)))
    assert file.file.path.stat().st_size > size + event_file.MOST_BYTES
    size = file.file.path.stat().st_size
    monkeypatch.setattr(event_file, "MOST_SECONDS", 0.0)
    file.add_event(Event(step=3))
    assert file.file.path.stat().st_size > size
    assert [event.step for event in events(tmp_path)] == [0, 1, 2, 3]
