from litlab.config.leaves import leaves


def test_every_value_is_known_by_its_keys():
    nested = {"a": {"b": 1, "c": {"d": [1, {"e": 2}]}}, "empty": {}, "none": None, 3: 4}
    assert leaves(nested) == {
        ("a", "b"): 1,
        ("a", "c", "d"): [1, {"e": 2}],
        ("empty",): {},
        ("none",): None,
        ("3",): 4,
    }
    assert leaves(5) == {(): 5}
