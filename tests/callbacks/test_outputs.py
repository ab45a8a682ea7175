"""The predictions of an evaluation, and the most confident mistakes among them."""

import pytest
import torch

from litlab.callbacks.outputs import Mistake, most_confident_mistakes


@pytest.fixture
def predictions():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(40, 5, generator=generator) * 3, torch.randint(5, (40,), generator=generator)


def test_the_most_confident_mistakes_are_those_of_a_loop(predictions):
    logits, targets = predictions
    indices = list(range(100, 140))
    every = []
    for row, (shares, true) in enumerate(zip(logits.softmax(1).tolist(), targets.tolist(), strict=True)):
        predicted = max(range(5), key=shares.__getitem__)
        if predicted != true:
            every.append(Mistake(pytest.approx(shares[predicted]), indices[row], predicted, true))
    every.sort(key=lambda mistake: -mistake.probability.expected)
    found = most_confident_mistakes(logits, targets, indices, count=7)
    assert found == every[:7]
    assert most_confident_mistakes(logits, targets, indices, count=1000) == every


def test_batch_after_batch_they_are_the_same(predictions):
    logits, targets = predictions
    found: list[Mistake] = []
    for start in range(0, 40, 16):
        batch = slice(start, start + 16)
        found = most_confident_mistakes(logits[batch], targets[batch], range(40)[batch], 7, earlier=found)
    assert found == most_confident_mistakes(logits, targets, range(40), 7)


def test_a_network_that_is_always_right_makes_none():
    assert most_confident_mistakes(torch.eye(3) * 5, torch.arange(3), range(3), 7) == []


def test_a_mistake_in_words():
    assert Mistake(0.934, 7, 1, 0).caption(["cat", "dog"]) == "said dog (93%)\nis cat"
