import os

import pytest

from litlab.cli.full_error import full_error, hydra_raises, wanted
from litlab.errors import FULL_ERROR


@pytest.mark.parametrize("before", [None, "0", "1"])
def test_what_the_user_has_set_is_there_again_after_the_block(before, monkeypatch):
    monkeypatch.setenv(FULL_ERROR, before or "")
    if before is None:
        monkeypatch.delenv(FULL_ERROR)
    assert wanted() == before
    with hydra_raises():
        assert os.environ[FULL_ERROR] == "1"
        with full_error(before):
            assert wanted() == before
        assert os.environ[FULL_ERROR] == "1"
    assert wanted() == before
