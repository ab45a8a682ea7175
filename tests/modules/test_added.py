"""Metrics of torchmetrics beside those of a task."""

import pytest
import torch
from torch import nn
from torchmetrics import classification
from torchmetrics.classification import MulticlassAUROC, MulticlassF1Score
from torchmetrics.functional.classification import multiclass_auroc, multiclass_f1_score

from litlab.modules import Classification, Regression, example, filled_arguments, tried

OWN_ARGUMENTS = {  # what else they need
    "MulticlassFBetaScore": {"beta": 2.0},
    "MulticlassPrecisionAtFixedRecall": {"min_recall": 0.5},
    "MulticlassRecallAtFixedPrecision": {"min_precision": 0.5},
    "MulticlassSensitivityAtSpecificity": {"min_specificity": 0.5},
    "MulticlassSpecificityAtSensitivity": {"min_sensitivity": 0.5},
    "FBetaScore": {"beta": 2.0},
    **{name: {"average": "macro"} for name in ("MulticlassEER", "EER", "MulticlassLogAUC", "LogAUC")},
}
MANY_NUMBERS = (
    "ROC",
    "ConfusionMatrix",
    "PrecisionRecallCurve",
    "AtFixed",
    "SensitivityAt",
    "SpecificityAt",
    "StatScores",
)


def of_one_number(name: str) -> bool:
    return name.endswith("AUROC") or not any(part in name for part in MANY_NUMBERS)


NAMES = [name for name in classification.__all__ if name.startswith("Multiclass") and of_one_number(name)]
SHORT = [name.removeprefix("Multiclass") for name in NAMES if hasattr(classification, name.removeprefix("Multiclass"))]


@pytest.mark.parametrize("name", [*NAMES, *SHORT])
def test_each_class_of_torchmetrics_gets_the_classes_it_needs(name):
    make = getattr(classification, name)
    metric = make(**filled_arguments(make, OWN_ARGUMENTS.get(name, {}), 4))
    assert tried(metric, *example((), 4)).update_count == 0


def test_a_metric_that_makes_a_number_for_each_class_is_refused():
    with pytest.raises(ValueError, match=r"^must make one number, not \[4\]$"):
        tried(MulticlassF1Score(4, average=None), *example((), 4))


@pytest.fixture
def batches():
    torch.manual_seed(0)
    return [(torch.rand(n, 4), torch.randint(4, (n,))) for n in (9, 5, 2)]  # logits that look like probabilities


@pytest.fixture
def module():
    return Classification(nn.Identity(), 4, metrics={"f1": MulticlassF1Score(4), "auroc": MulticlassAUROC(4)})


def test_a_metric_gets_probabilities_and_classes(module, batches):
    for logits, targets in batches:
        module.meters["val"].add(torch.tensor(1.0), logits, targets)
        module.meters["val"].flush()
    values = module.meters["val"].compute()
    logits, targets = (torch.cat(parts) for parts in zip(*batches, strict=True))
    torch.testing.assert_close(values["f1"], multiclass_f1_score(logits, targets, 4))
    torch.testing.assert_close(values["auroc"], multiclass_auroc(logits.softmax(1), targets, 4))
    assert module.meters["val"].names == ["loss", "acc", "f1", "auroc"]


def test_of_mixed_targets_the_largest_share_counts(batches):
    module = Classification(nn.Identity(), 4, soft_targets=True, metrics={"f1": MulticlassF1Score(4)})
    logits, targets = batches[0]
    shares = 0.6 * nn.functional.one_hot(targets, 4) + 0.1
    module.meters["train"].add(torch.tensor(1.0), logits, shares)
    assert module.meters["train"].compute()["f1"] == multiclass_f1_score(logits, targets, 4)


def test_a_split_that_is_saved_and_loaded_goes_on(module, batches):
    before, after = module.meters["train"], module.meters["val"]
    for logits, targets in batches[:2]:
        before.add(torch.tensor(1.0), logits, targets)
        before.flush()
    after.load_state_dict(before.state_dict(), "cpu")
    for meter in (before, after):
        meter.add(torch.tensor(1.0), *batches[2])
    assert before.compute() == after.compute()


def test_a_split_is_loaded_by_a_run_with_other_metrics(module, batches):
    """One that is new, or counts in another way, begins with the rest of the epoch."""
    saved = module.meters["train"]
    saved.add(torch.tensor(1.0), *batches[0])
    saved.flush()
    metrics = {"f1": MulticlassF1Score(4, average="micro"), "again": MulticlassF1Score(4)}
    meter = Classification(nn.Identity(), 4, metrics=metrics).meters["train"]
    meter.load_state_dict(saved.state_dict(), "cpu")
    meter.add(torch.tensor(1.0), *batches[1])
    values = meter.compute()
    logits, targets = batches[1]
    assert values["f1"] == multiclass_f1_score(logits, targets, 4, average="micro")
    assert values["again"] == multiclass_f1_score(logits, targets, 4)
    assert values["acc"] == saved.compute()["acc"] * 9 / 14 + (logits.argmax(1) == targets).float().sum() / 14


def test_a_name_is_given_once():
    with pytest.raises(ValueError, match="^acc: the task itself logs a metric of this name"):
        Classification(nn.Identity(), 4, metrics={"acc": MulticlassF1Score(4)})
    with pytest.raises(ValueError, match="^mse: the task itself logs a metric of this name"):
        Regression(nn.Identity(), metrics={"mse": MulticlassF1Score(4)})
