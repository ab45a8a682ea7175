"""The Python versions that pyproject.toml promises are those that CI runs the tests on."""

import re
import tomllib

from scripts import REPOSITORY


def test_each_python_that_is_promised_is_run_in_ci():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    named = [line.rpartition(" ")[2] for line in project["classifiers"]]
    run = re.findall(r'python: "([\d.]+)"', (REPOSITORY / ".github/workflows/ci.yml").read_text())
    assert sorted(run) == named
    oldest, newest = (tuple(map(int, version.split("."))) for version in (named[0], named[-1]))
    assert project["requires-python"] == f">=3.{oldest[1]},<3.{newest[1] + 1}"
