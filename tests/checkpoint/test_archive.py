"""Files that mean harm, or are merely broken: each is one line, and nothing runs, appears or stays."""

import os
import pickle
import shutil
import signal
import zipfile

import pytest
import torch
from checkpoints import refused

from litlab import checkpoint
from litlab.errors import Interrupted
from litlab.networks import MLP


class Payload:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_pickle_does_not_run(tmp_path, record, weights):
    trap, path = tmp_path / "trap", tmp_path / "x.ckpt"
    for content in (
        Payload(trap),
        {"state_dict": weights, "litlab": record, "callbacks": [Payload(trap)]},
        {"state_dict": {**weights, "network.layers.1.weight": Payload(trap)}, "litlab": record},
    ):
        torch.save(content, path)
        assert "mkdir" in refused(path)
        torch.save(content, path, _use_new_zipfile_serialization=False)
        refused(path)
        path.write_bytes(pickle.dumps(content))
        refused(path)
    assert not trap.exists()
    torch.save(Payload(trap), path)
    torch.load(path, weights_only=False)  # the trap does work elsewhere
    assert trap.exists()


def test_a_whole_model_says_how_to_convert_it(tmp_path):
    path = tmp_path / "x.ckpt"
    torch.save(MLP(), path)
    message = refused(path)
    assert "litlab.networks.mlp.MLP" in message
    assert "torch.save(model.state_dict(), 'weights.pt')" in message


def rewritten(source, target, rename=lambda name: name, change=lambda name, data: data, **options):
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", **options) as new:
        for entry in old.infolist():
            new.writestr(rename(entry.filename), change(entry.filename, old.read(entry)))


def test_a_zip_is_not_unpacked_anywhere(write, tmp_path):
    good = shutil.copy(write(), tmp_path / "good.ckpt")
    bad = tmp_path / "bad.ckpt"
    before = sorted(os.listdir(tmp_path))  # noqa: PTH208
    for prefix in ("../", "/", "a/../../", "..\\"):
        rewritten(good, bad, rename=lambda name, prefix=prefix: prefix + name)
        assert "leads out of it" in refused(bad)
    rewritten(good, bad, compression=zipfile.ZIP_DEFLATED)
    assert "compressed" in refused(bad)
    rewritten(good, bad, change=lambda name, data: b"" if name.endswith("data.pkl") else data)
    refused(bad)
    rewritten(good, bad, change=lambda name, data: data[: len(data) // 2] if "/data/" in name else data)
    refused(bad)
    rewritten(good, bad, rename=lambda name: "other/" + name)
    refused(bad)
    bad.unlink()
    assert sorted(os.listdir(tmp_path)) == before  # noqa: PTH208


def test_truncated_at_every_kilobyte_and_every_byte_at_the_ends(write):
    path = write()
    whole = path.read_bytes()
    ends = [*range(64), *range(len(whole) - 64, len(whole))]
    for size in sorted({*range(0, len(whole), 1024), *ends}):
        path.write_bytes(whole[:size])
        refused(path)


def test_any_flipped_byte_is_refused_or_harmless(write, tmp_path):
    path = write()
    whole = path.read_bytes()
    generator = torch.Generator().manual_seed(0)
    for position in torch.randint(len(whole), (400,), generator=generator).tolist():
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0x55]) + whole[position + 1 :])
        try:
            checkpoint.load(path)
        except ValueError as error:
            assert "\n" not in str(error)  # noqa: PT017
    assert os.listdir(tmp_path) == ["x.ckpt"]  # noqa: PTH208


def test_only_the_disk_makes_a_save_fail_quietly(tmp_path, monkeypatch):
    """What the device or torch has to say while a checkpoint is written ends the training, as anywhere else."""

    def on_the_device(*_, **__):
        raise RuntimeError("an illegal memory access was encountered")

    monkeypatch.setattr(torch, "save", on_the_device)
    with pytest.raises(RuntimeError, match="illegal memory access"):
        checkpoint.write({"a": torch.zeros(1)}, tmp_path / "last.ckpt")
    assert list(tmp_path.iterdir()) == []


def test_a_signal_while_a_checkpoint_is_read_is_no_damage(tmp_path, monkeypatch):
    path = tmp_path / "last.ckpt"
    checkpoint.write({"a": torch.zeros(1)}, path)

    def interrupted(*_, **__):
        raise Interrupted(signal.SIGTERM)

    monkeypatch.setattr(torch, "load", interrupted)
    with pytest.raises(Interrupted):
        checkpoint.read(path)


def test_a_checkpoint_is_replaced_as_a_whole_and_the_old_one_kept(tmp_path):
    last, previous = tmp_path / "checkpoints/last.ckpt", tmp_path / "checkpoints/previous.ckpt"
    for number in range(3):
        checkpoint.write({"number": torch.tensor(number)}, last, keep=previous)
    assert (checkpoint.read(last)["number"], checkpoint.read(previous)["number"]) == (2, 1)
    assert sorted(path.name for path in last.parent.iterdir()) == ["last.ckpt", "previous.ckpt"]


def test_a_copy_takes_no_second_room_and_stays_when_the_first_changes(tmp_path):
    last, best = tmp_path / "last.ckpt", tmp_path / "best.ckpt"
    checkpoint.write({"number": torch.tensor(1)}, last)
    checkpoint.copy(last, best)
    assert best.stat().st_ino == last.stat().st_ino
    checkpoint.write({"number": torch.tensor(2)}, last)
    assert checkpoint.read(best)["number"] == 1


def test_a_copy_where_links_do_not_work(tmp_path, monkeypatch):
    checkpoint.write({"number": torch.tensor(1)}, tmp_path / "last.ckpt")

    def refused_by_the_file_system(*_):
        raise OSError("no links here")

    monkeypatch.setattr(os, "link", refused_by_the_file_system)
    checkpoint.copy(tmp_path / "last.ckpt", tmp_path / "best.ckpt")
    assert (tmp_path / "best.ckpt").read_bytes() == (tmp_path / "last.ckpt").read_bytes()
