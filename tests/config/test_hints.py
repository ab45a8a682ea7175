from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pytest
from torch import nn

from litlab.config.hints import accepts, describe, signature


@pytest.mark.parametrize(
    ("hint", "good", "bad"),
    [
        (int, [3, -1], [3.0, True, "3", None]),
        (float, [3, 0.5], [True, "x"]),
        (bool, [True], [1, "true"]),
        (str, ["a"], [1]),
        (Path, ["a/b"], [1]),
        (int | None, [1, None], ["x"]),
        (Literal["a", "b"], ["a"], ["c"]),
        (Sequence[int], [[1, 2], []], [[1, "a"], 1]),
        (Iterable[str | dict], [["a", {}]], ["a", [1]]),
        (tuple[float, float], [[0.9, 0.99]], [0.9]),
        (tuple[int, ...], [[1, 2, 3]], [["a"]]),
        (dict[str, int], [{"a": 1}], [[1]]),
        (Mapping[str, Any], [{}], ["a"]),
        (nn.Module, [{"_target_": "torch.nn.ReLU"}], ["relu"]),
        (nn.Module | bool, [True, {}], ["relu"]),
        (Any, [1, "a", None], []),
    ],
)
def test_a_value_from_yaml_fits_a_hint_or_does_not(hint, good, bad):
    assert all(accepts(hint, value) for value in good)
    assert not any(accepts(hint, value) for value in bad)


@pytest.mark.parametrize(
    ("hint", "text"),
    [
        (int | None, "an integer or null"),
        (float, "a number"),
        (bool, "true or false"),
        (Literal["a", "b"], "one of a, b"),
        (Literal["a", "b"] | Literal["b", 3] | None, "one of a, b, 3 or null"),
        (list[int], "a list of integers"),
        (Sequence[float] | None, "a list of numbers or null"),
        (Iterable[str | dict[str, int]], "a list of texts or mappings"),
        (tuple[Sequence[str], ...], "a list of lists of texts"),
        (tuple[float, float], "a list"),  # its entries are not checked
        (list[nn.Module | int], "a list"),
        (list[Any], "a list"),
        (dict[str, int], "a mapping"),
        (nn.Module, "Module"),
        (nn.Module | bool, "true or false"),
    ],
)
def test_a_hint_is_told_in_words(hint, text):
    assert describe(hint) == text


class Base:
    def __init__(self, a: int, b: str = "") -> None: ...


class Derived(Base):
    def __init__(self, c: float, **arguments: Any) -> None: ...


class Open(Base):
    def __init__(self, **arguments: Any) -> None:
        """Nothing below this class is open."""


def function(width: "NotImported", **anything: int) -> None:  # noqa: F821
    """Its hint cannot be resolved."""


def test_arguments_that_are_passed_on_are_those_of_the_base_class():
    parameters, hints, takes_any = signature(Derived)
    assert (set(parameters), takes_any) == ({"a", "b", "c"}, False)
    assert (hints["a"], hints["b"], hints["c"]) == (int, str, float)
    assert set(signature(Open)[0]) == {"a", "b"}


def test_a_module_without_a_constructor_takes_nothing():
    assert signature(type("Loss", (nn.Module,), {})) == ({}, {}, False)


def test_a_function_that_takes_anything_says_so():
    parameters, hints, takes_any = signature(function)
    assert (set(parameters), hints, takes_any) == ({"width"}, {}, True)
