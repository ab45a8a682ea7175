"""The multilayer perceptron."""

import pytest

from litlab.networks import MLP


@pytest.mark.parametrize(
    ("arguments", "name"), [({"hidden": [0]}, "hidden"), ({"dropout": 1.0}, "dropout"), ({"activation": "x"}, "activ")]
)
def test_mlp_refuses(arguments, name):
    with pytest.raises(ValueError, match=f"^{name}"):
        MLP(**arguments)
