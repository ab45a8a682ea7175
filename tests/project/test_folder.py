"""The user's own folder: its configs, what it trusts, and when it can be imported from."""

import sys

import pytest
from scripts import REPOSITORY

from litlab.errors import ConfigError
from litlab.project import CONF, Project


@pytest.fixture(autouse=True)
def same_path():
    before = list(sys.path)
    yield
    sys.path[:] = before


def test_the_configs_are_those_of_the_clone():
    assert CONF == REPOSITORY / "conf"
    assert (REPOSITORY / "src/litlab/conf").resolve() == CONF, "a wheel has them as litlab/conf"


def test_a_folder_has_own_configs_if_it_has_a_folder_conf(tmp_path):
    assert Project(tmp_path).conf is None
    (tmp_path / "conf").mkdir()
    assert Project(tmp_path).conf == tmp_path / "conf"
    assert Project(REPOSITORY).conf is None, "these are litlab's own"


def test_what_a_project_trusts_is_in_its_pyproject(tmp_path):
    assert Project(tmp_path).trusted == []
    settings = tmp_path / "pyproject.toml"
    settings.write_text('[project]\nname = "a"\n')
    assert Project(tmp_path).trusted == []
    settings.write_text('[tool.litlab]\ntrust = ["mylab"]\n')
    assert Project(tmp_path).trusted == ["mylab"]
    for wrong in ("[tool.litlab]\ntrust = 3\n", "[tool.litlab\n", "[tool.litlab]\ntrust = [1]\n"):
        settings.write_text(wrong)
        with pytest.raises(ConfigError, match=r"^pyproject.toml: .*$"):
            _ = Project(tmp_path).trusted


def test_a_folder_is_importable_after_all_that_is_installed(tmp_path):
    Project(tmp_path).make_importable()
    Project(tmp_path).make_importable()
    assert sys.path[-1] == str(tmp_path)
    assert sys.path.count(str(tmp_path)) == 1


def test_only_a_trusted_package_in_the_folder_makes_it_importable(tmp_path):
    (tmp_path / "mylab").mkdir()
    (tmp_path / "single.py").touch()
    for packages in ([], ["timm"], ["lab"]):
        Project(tmp_path).make_trusted_importable(packages)
        assert str(tmp_path) not in sys.path
    for packages in (["mylab"], ["timm", "mylab.networks"], ["single"]):
        Project(tmp_path).make_trusted_importable(packages)
        assert sys.path.pop() == str(tmp_path)
