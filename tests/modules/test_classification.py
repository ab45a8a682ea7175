"""Classification."""

import torch
from torch import nn

from litlab.modules import Classification


def test_top5_counts_the_right_class_among_the_first_five():
    torch.manual_seed(0)
    logits, targets = torch.randn(100, 8), torch.randint(8, (100,))
    metrics = Classification(nn.Linear(1, 8), 8, top5=True).meters["val"].metrics
    metrics.update(logits, targets)
    among = (logits.topk(5).indices == targets[:, None]).any(1).float().mean()
    torch.testing.assert_close(metrics.compute()["acc_top5"], among)
    assert among > metrics.compute()["acc"]
