import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from litlab.sweeps.space import choose, distribution, some_values, written

optuna = pytest.importorskip("optuna")
Floats, Ints, Names = (
    optuna.distributions.FloatDistribution,
    optuna.distributions.IntDistribution,
    optuna.distributions.CategoricalDistribution,
)


def values(override):
    return distribution(OverridesParser.create().parse_override(override))


@pytest.mark.parametrize(
    ("override", "expected", "some"),
    [
        ("a=interval(0.1,0.9)", Floats(0.1, 0.9), [0.1]),
        ("a=tag(log, interval(1e-4, 1))", Floats(1e-4, 1, log=True), [1e-4]),
        ("a=int(interval(10,500))", Ints(10, 500), [10]),
        ("a=range(1,10)", Ints(1, 9), [1]),
        ("a=range(0,1,0.25)", Floats(0, 0.75, step=0.25), [0]),
        ("a=range(1,2)", Names(["1"]), ["1"]),
        ("a=x,y", Names(["x", "y"]), ["x", "y"]),
        ("a=[1,2],[3]", Names(["[1,2]", "[3]"]), ["[1,2]", "[3]"]),
    ],
)
def test_an_override_names_what_is_searched(override, expected, some):
    assert values(override) == expected
    assert list(some_values(expected)) == some


def test_what_optuna_refuses_is_one_line():
    with pytest.raises(HydraException, match=r"^a=tag\(log, interval\(0, 1\)\): "):
        values("a=tag(log, interval(0, 1))")


@pytest.mark.parametrize("override", ["a=interval(0.0,1.0)", "a=int(interval(1,9))", "a=x,y"])
def test_a_value_that_was_chosen_stays(override):
    study = optuna.create_study()
    trial = study.ask()
    choose(trial, "a", values(override))
    before = trial.params["a"]
    study.sampler = optuna.samplers.RandomSampler(seed=7)
    choose(trial, "a", values(override))
    assert trial.params == {"a": before}


def test_a_chosen_value_is_short():
    assert [written(0.0070828512), written(3), written("[1,2]"), written(1e-5)] == ["0.00708285", "3", "[1,2]", "1e-05"]
