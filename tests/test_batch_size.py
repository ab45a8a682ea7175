"""`data.batch_size=auto`."""

import json

from faults.compare import differences
from omegaconf import OmegaConf
from test_resume import TINY


def test_auto_is_the_run_with_the_size_it_found(tmp_path, train_here):
    short = [*TINY, "trainer.max_epochs=1"]
    found = train_here(*short, "data.batch_size=auto", "hydra.run.dir=auto")
    assert found.status == 0, found.err
    assert "data.batch_size=auto: 512 (there are 640 training images)" in found.out
    given = train_here(*short, "data.batch_size=512", "hydra.run.dir=given")
    assert given.status == 0, given.err
    assert differences(tmp_path / "auto", tmp_path / "given") == []
    assert OmegaConf.load(tmp_path / "auto/.hydra/config.yaml").data.batch_size == 512  # with which it is resumed
    assert json.loads((tmp_path / "auto/result.json").read_text())["config"]["data.batch_size"] == 512


def test_auto_still_names_a_wrong_setting(train_here):
    done = train_here(*TINY, "data.batch_size=auto", "data.val_size=9999")
    assert done.status == 2
    assert "error: data.val_size must be under 4,000" in done.err
    assert done.runs == []
