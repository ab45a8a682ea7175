"""Losses."""

import pytest
import torch
from torch import nn

from litlab.modules import Classification, CrossEntropy, LogSoftmaxNLL, balanced_weights
from litlab.modules.losses import total_weight
from litlab.networks import MLP


def test_nll_takes_logits_and_log_probabilities_alike():
    logits, targets = torch.randn(8, 5), torch.arange(8) % 5
    expected = nn.functional.cross_entropy(logits, targets)
    torch.testing.assert_close(LogSoftmaxNLL()(logits, targets), expected)
    torch.testing.assert_close(LogSoftmaxNLL()(logits.log_softmax(1), targets), expected)


def test_cross_entropy_smooths_and_weighs():
    torch.manual_seed(0)
    logits, targets = torch.randn(6, 3), torch.tensor([0, 1, 2, 0, 1, 2])
    logs, weights = logits.log_softmax(1), torch.tensor([1.0, 2.0, 4.0])
    right = logs[range(6), targets]
    torch.testing.assert_close(
        CrossEntropy(class_weights=[1, 2, 4])(logits, targets),
        -(right * weights[targets]).sum() / weights[targets].sum(),
    )
    torch.testing.assert_close(CrossEntropy(0.3)(logits, targets), -(0.7 * right + 0.3 * logs.mean(1)).mean())
    with pytest.raises(ValueError, match=r"^class_weights must be 3, one for each class, not 2"):
        CrossEntropy(class_weights=[1, 2])(logits, targets)


def test_weights_of_16_bits_take_logits_of_32_bits():
    """As in `trainer.precision=bf16-true`, where `calibrate=true` and `tta=` give the loss logits of 32 bits."""
    logits, targets = torch.randn(6, 3), torch.tensor([0, 1, 2, 0, 1, 2])
    loss = CrossEntropy(class_weights=[1, 2, 4])
    expected = loss(logits, targets)
    torch.testing.assert_close(loss.bfloat16()(logits, targets), expected)


def test_class_weights_are_a_setting_and_no_part_of_a_checkpoint():
    plain = Classification(MLP(hidden=[8]), 10)
    weighted = Classification(MLP(hidden=[8]), 10, loss=CrossEntropy(class_weights=range(1, 11)))
    weighted.load_state_dict(plain.state_dict())
    assert weighted.loss.weight.tolist() == list(range(1, 11))


@pytest.mark.parametrize(
    "loss",
    [
        CrossEntropy(class_weights=[1, 2, 3]),
        CrossEntropy(0.3, class_weights=[1, 2, 3]),
        CrossEntropy(label_smoothing=0.1),
        LogSoftmaxNLL(),
        LogSoftmaxNLL(torch.tensor([1.0, 2.0, 3.0])),
    ],
)
def test_shares_of_classes_are_targets_too(loss):
    torch.manual_seed(0)
    logits, targets = torch.randn(4, 3), torch.tensor([0, 1, 2, 1])
    shares = torch.nn.functional.one_hot(targets, 3).float()
    torch.testing.assert_close(loss(logits, shares), loss(logits, targets))
    others = shares.roll(1, 0)
    both = [1.0, 1.0] if loss.weight is None else [total_weight(loss, shares), total_weight(loss, others)]
    mixed = both[0] * loss(logits, shares) + both[1] * loss(logits, others)
    torch.testing.assert_close(loss(logits, 0.5 * shares + 0.5 * others), mixed / sum(both))


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_equal_weights_change_nothing(smoothing):
    logits, shares = torch.randn(4, 3), torch.rand(4, 3).softmax(1)
    loss = CrossEntropy(smoothing, class_weights=[10, 10, 10])
    torch.testing.assert_close(loss(logits, shares), CrossEntropy(smoothing)(logits, shares))


def test_the_loss_of_a_split_is_divided_by_the_weights_of_its_targets():
    """`Meter` multiplies the loss of each batch by this sum, and divides by that of all batches."""
    targets = torch.tensor([0, 1, 2, 1])
    shares = torch.nn.functional.one_hot(targets, 3).float()
    for loss in (CrossEntropy(class_weights=[1, 2, 3]), LogSoftmaxNLL(torch.tensor([1.0, 2.0, 3.0]))):
        assert total_weight(loss, targets) == total_weight(loss, shares) == 8
    assert total_weight(nn.CrossEntropyLoss(torch.tensor([1.0, 2.0, 3.0])), shares) == 4


def test_balanced_weights_make_all_classes_count_the_same():
    targets = torch.tensor([0] * 6 + [1] * 3 + [2])
    weights = torch.tensor(balanced_weights(targets, 3))
    totals = torch.bincount(targets) * weights
    torch.testing.assert_close(totals, torch.full((3,), 10 / 3), atol=1e-4, rtol=1e-4)
