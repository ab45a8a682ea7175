import pytest
import torch
from checkpoints import refused

from litlab.checkpoint.plain import NotAllowed, excerpt, plain_data


def test_deeply_nested_arguments(write):
    nested = []
    for _ in range(200):
        nested = [nested]
    refused(write(network={"name": "litlab.networks.MLP", "args": {"hidden": nested}}))
    doubled = [1]
    for _ in range(60):  # 2^60 values by reference
        doubled = [doubled, doubled]
    refused(write(network={"name": "litlab.networks.MLP", "args": {"hidden": doubled}}))


def test_plain_data_is_copied():
    given = {"a": [1, 2.5, "x", None, True], "b": (3, {"c": []})}
    copy = plain_data(given, "the values")
    assert copy == {"a": [1, 2.5, "x", None, True], "b": [3, {"c": []}]}
    assert copy["a"] is not given["a"]


class Text(str):
    """Code that calls itself a text."""


@pytest.mark.parametrize(
    "value",
    [{"_target_": "os.system"}, {1: 2}, 2**31, float("nan"), "x" * 5000, Text("x"), torch.ones(1), {1}, len, b"x"],
    ids=lambda value: type(value).__name__,
)
def test_anything_else_is_refused(value):
    for nested in (value, [value], {"a": [value]}):
        with pytest.raises(NotAllowed, match="^the values hold "):
            plain_data(nested, "the values")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a name", "a name"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("x" * 200, "x" * 157 + "..."),
        ([], "?"),
        (["one line"], "one line"),
        ([1, 2], "list '[1, 2]'"),
        (7, "int '7'"),
        (10**5000, "a int"),
    ],
    ids=lambda value: str(type(value).__name__),
)
def test_a_value_of_somebody_else_is_shown_in_a_short_clean_line(value, text):
    assert excerpt(value) == text
