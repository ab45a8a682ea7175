import signal

from litlab.errors import Diverged, Interrupted, RunFailed, one_line


def test_an_error_is_told_in_one_line():
    assert one_line(ValueError("\n first\nsecond ")) == "first"
    assert one_line(ValueError()) == "ValueError"


def test_a_signal_is_told_by_its_name():
    assert str(Interrupted(signal.SIGTERM)) == "stopped by SIGTERM"
    assert not isinstance(Interrupted(signal.SIGTERM), Exception), "a reader of files must not take it for damage"


def test_a_failed_run_has_an_exit_status():
    assert RunFailed("no").status == 1
    assert Diverged("nan", 1).status == 1
    assert RunFailed("stopped", 143).status == 143
