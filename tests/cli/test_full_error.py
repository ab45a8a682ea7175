import os

import pytest

from litlab.cli.full_error import VARIABLE, full_error, hydra_raises, wanted


@pytest.mark.parametrize("before", [None, "0", "1"])
def test_what_the_user_has_set_is_there_again_after_the_block(before, monkeypatch):
    monkeypatch.setenv(VARIABLE, before or "")
    if before is None:
        monkeypatch.delenv(VARIABLE)
    assert wanted() == before
    with hydra_raises():
        assert os.environ[VARIABLE] == "1"
        with full_error(before):
            assert wanted() == before
        assert os.environ[VARIABLE] == "1"
    assert wanted() == before
