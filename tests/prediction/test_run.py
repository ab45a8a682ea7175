"""`predict.py` as a whole: what it is asked for, and what a wrong setting leaves."""

import shutil
import subprocess
import sys

import pytest
from scripts import REPOSITORY, finish, start

from litlab.errors import ConfigError


@pytest.mark.slow
def test_the_script_leaves_only_its_output(quick_run, digits):
    folder, _ = digits
    before = set(quick_run.folder.rglob("*"))
    arguments = ["ckpt=latest", f"input={folder}/00_7.png"]
    done = finish(start("predict.py", *arguments, folder=quick_run.folder, cold=True), quick_run.folder)
    assert (done.status, done.err) == (0, "")
    assert "\x1b" not in done.out
    new = {str(path.relative_to(quick_run.folder)) for path in set(quick_run.folder.rglob("*")) - before}
    shutil.rmtree(quick_run.folder / "predictions")
    assert new == {"predictions", *(f"predictions/predictions.{kind}" for kind in ("csv", "json", "png"))}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "nothing to do: give input="),
        (["input=a.png", "evaluate=test"], "one of them at a time"),
        (["input="], "input= is empty: name a picture, a folder or a glob"),
        (["ckpt=null", "evaluate=test"], "ckpt=null: must be a checkpoint, a run folder or latest"),
        (
            ["ckpt=[a,b]", "evaluate=test"],
            "ckpt=['a', 'b']: must be a checkpoint, a run folder or latest; ensemble=true",
        ),
        (["evaluate=tset"], "evaluate=tset: must be train, val or test"),
        (["input=a.png", "invert=maybe"], "invert=maybe: must be auto, true or false"),
        (["input=a.png", "batch_size=0"], "batch_size=0"),
        (["export=onnx", "export.format=state_dict"], "export.format=state_dict: write export=state_dict"),
        (["export=state_dict", "data=image_folder", "data.data_dir=nowhere"], "data_dir nowhere: no such folder"),
        (["input=a.png", "num_workers=-1"], "num_workers=-1"),
        (["input=a.png", "trust=[1]"], "trust=1: must be the name of a package"),
        (["input=a.png", "trust=5"], "trust=5: must be the name of a package, or a list of them"),
        (["input=a.png", "trust=true"], "trust=true: must be the name of a package"),
        (["input=a.png", "trust={a:1}"], "trust={'a': 1}: must be the name of a package"),
        (["input=a.png", "trust=''"], "trust=: must be the name of a package"),
        (["input=file", "trainer=ddp_cpu"], "trainer.devices: pictures are predicted on one device"),
        (["input=a.png", "ckpt=none"], "ckpt=none: not there"),
        (["input=file", "output=file"], "output=file: is a file, not a folder"),
        (["evaluate=test", "output=file/inner"], "output=file/inner: file is a file, not a folder"),
        (["input=file", "output="], "output= is empty: name a folder, or leave it out"),
        (["evaluate=test", "output=' '"], "output= is empty: name a folder, or leave it out"),
        (["input=file,b.png"], "input=file,b.png: not there; several go in brackets: input=[file,b.png]"),
        (["input=fi*,b.png"], "input=fi*,b.png: no pictures there; several go in brackets: input=[fi*,b.png]"),
        (["evaluate=test", "data=cifar10"], "has images [3, 32, 32]; the network was trained on [1, 28, 28]"),
        (
            ["evaluate=test", "data=fashion_mnist"],
            "(T-shirt/top, Trouser, Pullover, Dress, Coat and 5 more) than the network knows (0, 1, 2,",
        ),
        (["evaluate=test", "data.val_size=-1"], "val_size"),
        (["evaluate=val", "data=mnist_sample", "data.val_size=0"], "evaluate=val: mnist_sample has no such split"),
        (["input=a.png", "quiet=no"], "quiet=no: must be true or false"),
        (["export=onnx", "export.include_preprocess=no"], "export.include_preprocess=no: must be true or false"),
        (["evaluate=test", "batch_size=7"], "batch_size=7: evaluate does not read it; it is for input"),
        (["evaluate=test", "export.include_preprocess=true"], "evaluate does not read it; it is for export"),
        (["input=a.png", "data.val_size=9"], "data.val_size=9: input does not read it; it is for evaluate and export"),
        (["input=a.png", "trainer.precision=64-true"], "trainer.precision=64-true: input does not read it"),
        (["evaluate=test", "trainer.precision=8"], "trainer.precision=8: must be one of 64, 32, 16"),
        (["evaluate=test", "trainer=cpu", "trainer.strategy=fsdp"], "trainer.strategy=fsdp is for training"),
        (["evaluate=val", "data.val_size=2000"], "data.val_size=2000: the training held out 500"),
        (
            ["evaluate=val", "data.val_size=0.5"],
            "data.val_size=0.5: the training held out 500, so this must be a number",
        ),
        (["evaluate=val", "data=image_folder"], "data.data_dir is missing: write data.data_dir=FOLDER"),
        (["evaluate=test", "data.eval_batch_size=0"], "data.eval_batch_size must be at least 1, not 0"),
        (["export=onnx", "export.opset=abc"], "export.opset=abc: must be a whole number"),
        (["input=file", "batch_size=true"], "batch_size=True: must be a whole number above 0"),
        (["evaluate=val", "seed=7"], "seed=7: is for another data set, data=..."),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_the_key(ckpt, use, tmp_path, arguments, message):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError) as caught:
        use(ckpt, *arguments)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert {path.name for path in tmp_path.iterdir()} == {"file"}


def test_help_lists_the_settings():
    done = subprocess.run([sys.executable, REPOSITORY / "predict.py", "--help"], capture_output=True, text=True)
    assert done.returncode == 0
    assert "evaluate=test" in done.stdout
    assert "batch_size=null" in done.stdout
