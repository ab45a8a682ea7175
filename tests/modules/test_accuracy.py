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
