"""A `_target_` that names no class is refused in one line, whichever group names it."""

import sys

import pytest

from litlab.config import check_group
from litlab.config.objective import direction_of
from litlab.config.targets import NoTarget, find
from litlab.errors import ConfigError

ENDS = 'import sys\n\n\nclass Net:\n    """Comes too early."""\n\n\nsys.exit()\n'
PARSES = "import argparse\n\nasked = argparse.ArgumentParser().parse_args(['--unknown'])\n"


@pytest.fixture
def package(tmp_path, monkeypatch):
    folder = tmp_path / "lab_of_targets"
    folder.mkdir()
    modules = {"__init__": "WIDTH = 8\n", "ends": ENDS, "parses": PARSES, "fails": 'raise RuntimeError("no\\n  way")\n'}
    for name, content in modules.items():
        (folder / f"{name}.py").write_text(content)
    for name in [name for name in sys.modules if name.partition(".")[0] == folder.name]:
        monkeypatch.delitem(sys.modules, name)  # of another test, in another folder
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("key", ["model", "data", "callbacks.mine", "metrics.mine"])
@pytest.mark.parametrize(
    ("target", "said"),
    [
        (
            "lab_of_targets.ends.Net",
            ": the module ended the program while it was imported (lab_of_targets/ends.py, line 8)",
        ),
        (
            "lab_of_targets.parses.Net",
            ": the module ended the program while it was imported (lab_of_targets/parses.py, line 3)",
        ),
        ("lab_of_targets.fails.Net", ": cannot be imported: no way (lab_of_targets/fails.py, line 1)"),
        ("own_parts", " is a module: name the class in it, such as own_parts.Dense"),
        ("lab_of_targets", " is a module: name the class in it"),
        ("lab_of_targets.WIDTH", " is of type int: name a class or a function"),
    ],
)
@pytest.mark.usefixtures("package")
def test_what_is_no_class_is_named(key, target, said):
    with pytest.raises(ConfigError) as caught:
        check_group(key, {"_target_": target, "input_shape": None})
    assert str(caught.value) == f"{key}._target_={target}{said}"


@pytest.mark.usefixtures("package")
def test_what_is_no_class_is_named_within_a_list_too():
    augment = ["random_crop", {"_target_": "own_parts.FloatTransform"}]
    check_group("data", {"_target_": "own_parts.Grey", "augment": augment})
    for target in ("own_parts", "lab_of_targets.ends.Net"):
        nested = [*augment, {"_target_": "own_parts.FloatTransform", "then": [{"_target_": target}]}]
        with pytest.raises(ConfigError) as caught:
            check_group("data", {"_target_": "own_parts.Grey", "augment": nested})
        assert str(caught.value).startswith(f"data.augment.then._target_={target}")


@pytest.mark.usefixtures("package")
def test_what_is_asked_of_a_target_before_the_check_leaves_the_word_to_the_check():
    for target in ("lab_of_targets.ends.Net", "own_parts", "lab_of_targets.WIDTH"):
        with pytest.raises(NoTarget):
            find(target)
        assert direction_of({"metrics": {"mine": {"_target_": target}}}, "val/mine") == "max"


def test_a_function_is_a_target():
    assert find("own_parts.no_images").__name__ == "no_images"
    assert find("functools.partial") is __import__("functools").partial
