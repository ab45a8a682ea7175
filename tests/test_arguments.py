import runpy

import pytest

from litlab.arguments import OneLine, folder


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--jsn"], "unrecognized arguments: --jsn"),
        (["--sort", "acc"], "argument --sort: invalid choice: 'acc' (choose from "),
        ([""], "argument FOLDER: it is empty, perhaps a shell variable that is not set: name a folder"),
    ],
)
def test_a_mistake_is_one_line(capsys, arguments, message):
    parser = OneLine("python -m it")
    parser.add_argument("folder", type=folder, nargs="?", metavar="FOLDER")
    parser.add_argument("--sort", choices=["when", "name"])
    with pytest.raises(SystemExit) as ended:
        parser.parse_args(arguments)
    out, err = capsys.readouterr()
    assert (ended.value.code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"error: {message}")
    assert err.endswith("; python -m it --help says what there is\n")


@pytest.mark.parametrize("module", ["litlab.runs", "litlab.sweeps"])
def test_the_modules_refuse_an_empty_folder_in_one_line(capsys, monkeypatch, module):
    monkeypatch.setattr("sys.argv", [module, ""])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(module, run_name="__main__")
    assert (ended.value.code, capsys.readouterr().err.count("\n")) == (2, 1)
