import torch

from litlab.modules import SoftAccuracy


def test_a_class_counts_with_its_share_of_the_target():
    accuracy = SoftAccuracy()
    logits = torch.tensor([[1.0, 5.0, 2.0], [3.0, 1.0, 2.0]])
    accuracy.update(logits, torch.tensor([[0.25, 0.75, 0.0], [0.0, 0.5, 0.5]]))
    accuracy.update(logits, torch.tensor([1, 1]))
    assert accuracy.compute() == (0.75 + 0 + 1 + 0) / 4
    two = SoftAccuracy(top_k=2)
    two.update(logits, torch.tensor([[0.25, 0.75, 0.0], [0.0, 0.5, 0.5]]))
    assert two.compute() == (0.75 + 0.5) / 2


def test_of_equal_logits_the_first_class_is_predicted():
    """As torch.argmax and an evaluation have it. In 16 bits equal logits are common, and topk takes any of them."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randint(0, 3, (200, 10), generator=generator).float()
    accuracy = SoftAccuracy()
    accuracy.update(logits, logits.argmax(1))
    assert accuracy.compute() == 1
