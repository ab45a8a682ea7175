import pytest

from litlab import distributed

VARIABLES = ("RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE")


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, (False, 0, 1, 1, 1)),
        ({"RANK": "0"}, (True, 0, 1, 1, 1)),
        ({"RANK": "1", "WORLD_SIZE": "2"}, (True, 1, 2, 2, 1)),
        ({"RANK": "5", "WORLD_SIZE": "8", "LOCAL_WORLD_SIZE": "4"}, (True, 5, 8, 4, 2)),
    ],
    ids=["alone", "a launcher of one", "one host", "two hosts"],
)
def test_the_variables_of_a_launcher_say_which_process_this_is(variables, expected, monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    found = (
        distributed.is_rank(),
        distributed.rank(),
        distributed.world_size(),
        distributed.local_size(),
        distributed.hosts(),
    )
    assert found == expected
