import os
import subprocess
import sys

import pytest

from litlab import openmp


@pytest.fixture
def undecided(monkeypatch):
    for name in openmp.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(openmp, "cores", lambda: 2)


@pytest.mark.parametrize(("others", "chosen"), [(0, None), (1, "PASSIVE"), (7, "PASSIVE")])
@pytest.mark.usefixtures("undecided")
def test_threads_sleep_while_they_wait_if_there_is_other_work(monkeypatch, others, chosen):
    monkeypatch.setattr(openmp, "others_running", lambda: others)
    said = openmp.choose_waiting()
    assert os.environ.get("OMP_WAIT_POLICY") == chosen
    assert (said is None) == (chosen is None)


@pytest.mark.parametrize("variable", openmp.VARIABLES)
@pytest.mark.usefixtures("undecided")
def test_what_the_user_has_decided_stays(monkeypatch, variable):
    monkeypatch.setattr(openmp, "others_running", lambda: 9)
    monkeypatch.setenv(variable, "mine")
    assert openmp.choose_waiting() is None
    assert {name: os.environ.get(name) for name in openmp.VARIABLES if name in os.environ} == {variable: "mine"}


def test_running_threads_are_counted_without_this_one(tmp_path):
    (tmp_path / "loadavg").write_text("0.10 0.20 0.30 4/123 4567\n")
    assert openmp.others_running(tmp_path / "loadavg") == 3
    assert openmp.others_running(tmp_path / "none") == 0


def test_it_is_decided_before_torch_is_imported():
    code = "import sys; import litlab.cli, litlab.openmp; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
