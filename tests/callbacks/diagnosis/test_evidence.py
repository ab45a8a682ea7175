import pytest

from litlab.callbacks.diagnosis.evidence import Setup


@pytest.mark.parametrize(("lr", "advice"), [(1e-5, "optimizer.lr=0.0001 "), (1e-300, "optimizer.lr=0.001 ")])
def test_a_higher_learning_rate_is_one_that_can_learn(lr, advice):
    assert Setup(lr=lr).higher.startswith(advice)
