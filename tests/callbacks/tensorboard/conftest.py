import pytest
from events import read


@pytest.fixture(scope="module")
def seen(quick_run):
    return read(quick_run.runs[0])
