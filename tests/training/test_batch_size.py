"""`data.batch_size=auto` finds a size, and the run is the one with that size."""

import json

import pytest
from faults.compare import differences
from omegaconf import OmegaConf
from recorded_runs import TINY


@pytest.mark.slow
def test_auto_gives_the_run_that_the_found_size_gives(tmp_path, train_here):
    short = [*TINY, "trainer.max_epochs=1"]
    found = train_here(*short, "data.batch_size=auto", "hydra.run.dir=auto")
    assert found.status == 0, found.err
    assert "data.batch_size=auto: 512 (there are 640 training images)" in found.out
    given = train_here(*short, "data.batch_size=512", "hydra.run.dir=given")
    assert given.status == 0, given.err
    assert differences(tmp_path / "auto", tmp_path / "given") == []
    assert OmegaConf.load(tmp_path / "auto/.hydra/config.yaml").data.batch_size == 512  # with which it is resumed
    assert json.loads((tmp_path / "auto/result.json").read_text())["config"]["data.batch_size"] == 512


@pytest.mark.slow
def test_a_wrong_setting_is_named_with_auto_too(train_here):
    done = train_here(*TINY, "data.batch_size=auto", "data.val_size=9999")
    assert done.status == 2
    assert "error: data.val_size must be under 4,000" in done.err
    assert done.runs == []
