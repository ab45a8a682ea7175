import signal

import torch

from litlab.data.folds import checked_folds
from litlab.errors import Diverged, Interrupted, RunFailed, one_line, own_frames, with_type


def test_an_error_is_told_in_one_line():
    assert one_line(ValueError("\n first\nsecond ")) == "first"
    assert one_line(ValueError()) == "ValueError"
    assert one_line(ImportError("cannot load it:\nno such file\nthird")) == "cannot load it: no such file"


def raised(function, *arguments):
    try:
        function(*arguments)
    except Exception as error:
        return error.with_traceback(error.__traceback__.tb_next)  # without the call here
    raise AssertionError("no error")


def test_an_error_names_the_line_of_the_users_own_code_that_has_raised_it():
    def of_a_user(numbers):
        return torch.zeros(2).reshape(numbers)  # raised within torch, which the user calls

    of_litlab = raised(checked_folds, 1, None)
    assert one_line(raised(of_a_user, [3])).endswith(
        f"(tests/test_errors.py, line {of_a_user.__code__.co_firstlineno + 1})"
    )
    assert with_type(raised(of_a_user, [3])).startswith("RuntimeError: shape '[3]' is invalid")
    assert "line" not in one_line(of_litlab)
    assert not own_frames(of_litlab)


def test_a_signal_is_told_by_its_name():
    assert str(Interrupted(signal.SIGTERM)) == "stopped by SIGTERM"
    assert not isinstance(Interrupted(signal.SIGTERM), Exception), "a reader of files must not take it for damage"


def test_a_failed_run_has_an_exit_status():
    assert RunFailed("no").status == 1
    assert Diverged("nan", 1).status == 1
    assert RunFailed("stopped", 143).status == 143
