"""`litlab new`: what it writes, and what it refuses."""

import importlib
import threading
import tomllib

import pytest
import yaml

from litlab.errors import ConfigError
from litlab.project import make_project


def test_a_new_project_has_the_files_that_its_readme_names(project):
    readme = (project / "README.md").read_text()
    named = {word for word in readme.split("`") if "/" in word and " " not in word and not word.endswith("/")}
    assert named >= {"conf/experiment/first.yaml", "conf/model/tiny.yaml", "conf/data/lines.yaml", "ownlab/networks.py"}
    assert [name for name in named if not (project / name).is_file()] == []
    for name in (".gitignore", ".github/workflows/ci.yml", "tests/test_networks.py", "pyproject.toml"):
        assert (project / name).is_file()


def test_a_new_project_has_its_own_name_everywhere(project):
    files = [path for path in project.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert len(files) == 11
    assert not [
        path for path in files if "mylab" in path.read_text() or "mylab" in str(path) or "template" in path.name
    ]
    settings = tomllib.loads((project / "pyproject.toml").read_text())
    assert settings["tool"]["litlab"]["trust"] == settings["tool"]["setuptools"]["packages"] == ["ownlab"]
    assert yaml.safe_load((project / "conf/model/tiny.yaml").read_text())["_target_"] == "ownlab.networks.Tiny"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("my-lab", "^my-lab: cannot be the name of a Python package: .* only, such as my_lab$"),
        ("übung", "^übung: cannot be the name .*: write the letters a to z, digits and _ only, such as ubung$"),
        ("class", "^class: cannot be the name .*: it is a word of Python; take another, such as my_class$"),
        ("3d", "^3d: cannot be the name .*: it must begin with a letter, such as my_3d$"),
        ("json", "json: there is a package or a folder of that name already"),
        ("torch", "torch: there is a package"),
        ("tests", "tests: there is a package"),
        ("full", "full: is there already"),
        ("file/below", "cannot be written"),
    ],
)
def test_a_folder_that_cannot_be_made_is_one_line_and_leaves_nothing(tmp_path, name, message):
    (tmp_path / "file").touch()
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine").touch()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ConfigError, match=message) as caught:
        make_project(tmp_path / name)
    assert "\n" not in str(caught.value)
    assert sorted(tmp_path.rglob("*")) == before


def test_an_empty_folder_may_be_there(tmp_path):
    (tmp_path / "emptylab").mkdir()
    assert make_project(tmp_path / "emptylab")


def test_jobs_may_prepare_the_first_data_set_at_the_same_time(project, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(project))
    data = importlib.import_module("ownlab.data").Lines(tmp_path)
    data.prepare_data()
    ended = threading.Event()

    def prepare():
        while not ended.is_set():
            data.prepare_data()

    other_job = threading.Thread(target=prepare)
    other_job.start()
    try:
        for _ in range(50):
            assert len(data.load_arrays().train_images) == 1200
    finally:
        ended.set()
        other_job.join()
