import io

import torch

from litlab.checkpoint import PlainCheckpointIO, read


def test_what_cannot_be_written_is_kept_until_a_later_checkpoint_is(tmp_path):
    plugin, path = PlainCheckpointIO(), tmp_path / "checkpoints/last.ckpt"
    (tmp_path / "checkpoints").touch()  # a file where the folder should be
    plugin.save_checkpoint({"step": torch.tensor(1)}, path)
    assert isinstance(plugin.failure, OSError)
    assert torch.load(io.BytesIO(plugin.unwritten), weights_only=True)["step"] == 1
    (tmp_path / "checkpoints").unlink()
    plugin.save_checkpoint({"step": torch.tensor(2)}, path)
    assert (plugin.failure, plugin.unwritten) == (None, None)
    assert plugin.load_checkpoint(path)["step"] == 2


def test_the_old_checkpoint_goes_where_lightning_is_told(tmp_path):
    plugin, path, previous = PlainCheckpointIO(), tmp_path / "last.ckpt", tmp_path / "previous.ckpt"
    for step in (1, 2):
        plugin.save_checkpoint({"step": torch.tensor(step)}, path, storage_options=previous)
    assert (read(path)["step"], read(previous)["step"]) == (2, 1)
    plugin.remove_checkpoint(path)
    plugin.remove_checkpoint(path)
    assert not path.exists()
