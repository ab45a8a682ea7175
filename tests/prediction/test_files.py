"""The pictures that `input` names."""

import os
import shutil

import pytest
import torch
from pictures import draw_folder
from predictions import evaluated, rows
from scripts import asked

from litlab import checkpoint
from litlab.data import ImageFolder, Unreadable, fit, open_picture
from litlab.errors import ConfigError
from litlab.prediction.files import find_files


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become another user for whom something is forbidden")
def test_a_file_without_permission_gives_the_reason(digits, tmp_path):
    path = tmp_path / "a.png"
    shutil.copy(digits[0] / "00_7.png", path)
    path.chmod(0)
    child = os.fork()
    if not child:
        os.setuid(65534)
        try:
            open_picture(path)
        except Unreadable as error:
            os._exit(7 if str(error) == "no permission to read it" else 1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def test_folders_of_the_system_are_not_searched(tmp_path, digits):
    for name in ("@eaDir", "$RECYCLE.BIN", ".hidden", "own"):
        (tmp_path / name).mkdir()
        shutil.copy(digits[0] / "00_7.png", tmp_path / name)
    assert find_files(asked(f"input='{tmp_path}'", script="predict")) == [str(tmp_path / "own/00_7.png")]


def test_globs_and_lists_name_each_file_once(ckpt, digits, use, tmp_path):
    folder, _ = digits
    for given, count in (
        (f"input={folder}/0*_*.png", 10),
        (f"input=[{folder}/00_7.png,{folder}/1?_*.png]", 3),
        (f"input=[{folder}/00_7.png,{folder}]", 12),
    ):
        use(ckpt, given)
        assert len(rows(tmp_path / "predictions")) == count
    for given in ("input=nothing/*.png", f"input={tmp_path / 'predictions'}/*.gif", "input=[]"):
        with pytest.raises(ConfigError, match="input="):
            use(ckpt, given)


@pytest.mark.parametrize("name", ["a b.png", "a,b.png", "a=b.png", "(1) [x]{y}.png", "[1].png", "it's.png", "ü$x#.png"])
def test_file_names_are_taken_as_typed(ckpt, digits, use, tmp_path, name):
    shutil.copy(digits[0] / "00_7.png", tmp_path / name)
    use(ckpt, f"input={name}")
    assert [row["file"] for row in rows(tmp_path / "predictions")] == [name]


@pytest.mark.slow
def test_predict_and_evaluate_prepare_pictures_alike(train_here, use, tmp_path):
    draw_folder(tmp_path / "pictures", count=12)
    arguments = ["data=image_folder", "data.data_dir=pictures", "data.image_size=24", "data.resize=32", "model=mlp"]
    done = train_here(*arguments, "trainer=cpu", "trainer.max_epochs=1")
    assert done.status == 0, done.err
    use("ckpt=latest", "evaluate=val")
    assert evaluated(tmp_path / "evaluation")["metrics"] == {
        name: value for name, value in done.result["metrics"].items() if name.startswith("val")
    }
    data = ImageFolder(tmp_path / "pictures", image_size=24, resize=32)
    data.setup()
    trained = checkpoint.load(done.runs[0] / "checkpoints/best.ckpt")
    for picture, seen in zip(data.val_set.paths, data.evaluation_set("val"), strict=True):
        assert torch.equal(fit(open_picture(picture), trained.data.input_shape, trained.data.preprocess), seen[0])
