import pytest

from litlab.callbacks.steering.kept import KeptEpochs


def names(folder):
    return sorted(file.name for file in folder.iterdir())


@pytest.mark.parametrize(
    ("keep", "mode", "scores", "kept"),
    [
        ("last", "max", [0.1, 0.2], []),
        ("all", "max", [0.1, None, 0.3], [1, 2, 3]),
        (2, "max", [0.1, 0.3, 0.2, 0.05], [2, 3]),
        (2, "min", [0.1, 0.3, 0.2, 0.05], [1, 4]),
        (2, "max", [0.5, 0.5, 0.5], [1, 2]),  # of equals the earlier
        (1, "max", [None, 0.5, None], [2]),
    ],
)
def test_the_best_epochs_stay(tmp_path, keep, mode, scores, kept):
    last, folder = tmp_path / "last.ckpt", tmp_path / "checkpoints"
    folder.mkdir()
    epochs = KeptEpochs(folder, keep, mode)
    for epoch, score in enumerate(scores, 1):
        last.unlink(missing_ok=True)
        last.write_text(str(epoch))
        epochs.choose(epoch, score)
        epochs.write(epoch, last)
    assert names(folder) == [f"epoch_{epoch:03d}.ckpt" for epoch in kept]
    assert [(folder / name).read_text() for name in names(folder)] == [str(epoch) for epoch in kept]


def test_epochs_that_are_trained_again_are_removed_and_a_missing_one_is_written(tmp_path):
    (tmp_path / "epoch_003.ckpt").touch()
    (tmp_path / "epoch_old.ckpt").touch()
    (tmp_path / "last.ckpt").write_text("2")
    epochs = KeptEpochs(tmp_path, "all", "max")
    epochs.load({"1": 0.1, "2": 0.2})
    epochs.restore(2, tmp_path / "last.ckpt")
    assert names(tmp_path) == ["epoch_002.ckpt", "epoch_old.ckpt", "last.ckpt"]
    assert epochs.state() == {"1": 0.1, "2": 0.2}
