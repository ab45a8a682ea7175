"""Out of memory, for real: a process that may not grow beyond a limit."""

import json
import resource
import subprocess
import sys

import pytest
from faults.harness import count
from scripts import REPOSITORY

pytestmark = pytest.mark.slow

LIMIT = 2500 * 2**20
# 16 channels of 224 x 224 float32: some 3 MB an image and layer, so that a few hundred images are too many
BIG = ["data=fake", "data.input_shape=[1,224,224]", "data.train_size=2048", "data.val_size=32", "data.test_size=16"]
BIG += ["model=mnist_cnn", "trainer=cpu", "trainer.max_epochs=1", "trainer.limit_train_batches=2"]
BIG += ["hydra.run.dir=run", "data.eval_batch_size=16", "callbacks.model_summary.enabled=false"]


def train(folder, *arguments):
    def limit():
        resource.setrlimit(resource.RLIMIT_DATA, (LIMIT, LIMIT))

    command = [sys.executable, REPOSITORY / "train.py", *BIG, *arguments]
    return subprocess.run(command, cwd=folder, preexec_fn=limit, capture_output=True, text=True, timeout=500)


def test_auto_finds_what_fits_and_four_times_as_much_is_one_line(tmp_path):
    (tmp_path / "auto").mkdir()
    done = train(tmp_path / "auto", "data.batch_size=auto")
    assert done.returncode == 0, done.stderr
    size = json.loads((tmp_path / "auto/run/result.json").read_text())["config"]["data.batch_size"]
    assert f"data.batch_size=auto: {size} ({2 * size} does not fit into memory)" in done.stdout
    assert 8 <= size < 1024
    done = train(tmp_path, f"data.batch_size={4 * size}")
    assert done.returncode == 1
    line = f"failed: out of memory on cpu with data.batch_size={4 * size}: try data.batch_size={2 * size}, "
    assert done.stderr.splitlines()[-1].startswith(line), done.stderr
    assert json.loads((tmp_path / "run/result.json").read_text())["status"] == "failed"
    count("out of memory, then data.batch_size=auto", True)
