import gc
import signal
from pathlib import Path

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from litlab import errors
from litlab.data.folds import checked_folds
from litlab.errors import Diverged, Interrupted, RunFailed, one_line, own_frames, short_traceback, with_type
from litlab.files import shown


def test_an_error_is_told_in_one_line():
    assert one_line(ValueError("\n first\nsecond ")) == "first"
    assert one_line(ValueError()) == "ValueError"
    assert one_line(ValueError("got torch.Size([21, 10]) and torch.Size([21]).")) == "got [21, 10] and [21]."
    assert one_line(ImportError("cannot load it:\nno such file\nthird")) == "cannot load it: no such file"


def test_a_syntax_error_names_the_file_with_its_folder(tmp_path, monkeypatch):
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg/broken.py").write_text("x = 1\ny = (\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SyntaxError) as caught:
        compile(Path("pkg/broken.py").read_text(), tmp_path / "pkg/broken.py", "exec")
    assert one_line(caught.value) == f"'(' was never closed ({Path('pkg/broken.py')}, line 2)"


def test_what_own_code_returns_is_described():
    assert errors.described(None) == "None: is a return missing?"
    assert errors.described(Failing) == "the class Failing: are its () missing?"
    assert errors.described(torch.zeros(2, dtype=torch.uint8)) == "uint8 [2]"


def raised(function, *arguments):
    try:
        function(*arguments)
    except Exception as error:
        return error.with_traceback(error.__traceback__.tb_next)  # without the call here
    raise AssertionError("no error")


def test_an_error_names_the_line_of_the_users_own_code_that_has_raised_it():
    def of_a_user(numbers):
        return torch.zeros(2).reshape(numbers)  # raised within torch, which the user calls

    def of_an_own_part(width):
        if width % 2:
            raise ValueError("width must be even")

    def of_two_lines():
        raise RuntimeError("the file is old:\nmake it again\n\n  with make.py")

    line = of_a_user.__code__.co_firstlineno + 1
    assert one_line(raised(of_a_user, [3])).endswith(f"({shown(Path(__file__))}, line {line})")
    assert one_line(raised(of_an_own_part, 3)) == "width must be even"
    two_lines = one_line(raised(of_two_lines)).partition(" (")[0]
    assert two_lines == "the file is old: make it again with make.py", "the user has written both lines"
    assert with_type(raised(of_a_user, [3])).startswith("RuntimeError: shape '[3]' is invalid")


@pytest.mark.parametrize("installed", [False, True])
def test_an_error_that_litlab_has_raised_is_not_the_users(monkeypatch, installed):
    def calls_litlab():
        checked_folds(1, None)

    if installed:
        monkeypatch.setattr(errors, "LIBRARIES", {errors.LITLAB.parent.name})  # as if that were `site-packages`
    error = raised(calls_litlab)
    assert one_line(error) == "folds must be at least 2, not 1"
    assert not own_frames(error)


class Failing(Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        return {}["nothing"]


def test_an_error_in_a_worker_of_a_loader_is_told_as_it_was_there():
    error = raised(list, DataLoader(Failing(), num_workers=1))
    line = Failing.__getitem__.__code__.co_firstlineno + 1
    assert with_type(error) == f"KeyError: 'nothing' ({shown(Path(__file__))}, line {line})"
    assert short_traceback(error).splitlines()[0] == f'  File "{__file__}", line {line}, in __getitem__'
    assert short_traceback(error).splitlines()[-1] == "KeyError: 'nothing'"
    error.with_traceback(None)  # which holds the loader and its worker
    gc.collect()


def test_a_signal_is_told_by_its_name():
    assert str(Interrupted(signal.SIGTERM)) == "stopped by SIGTERM"
    assert not isinstance(Interrupted(signal.SIGTERM), Exception), "a reader of files must not take it for damage"


def test_a_failed_run_has_an_exit_status():
    assert RunFailed("no").status == 1
    assert Diverged("nan", 1).status == 1
    assert RunFailed("stopped", 143).status == 143
