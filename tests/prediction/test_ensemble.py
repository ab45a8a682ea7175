"""`ensemble=true`: the jobs of a sweep predict together."""

import dataclasses
import json
import shutil

import pytest
import torch
from predictions import evaluated
from sweep_folders import job_of, scored

from litlab import checkpoint
from litlab.data import MNISTSample
from litlab.errors import ConfigError
from litlab.prediction.ensemble import Ensemble, together


@pytest.fixture
def sweep(best, tmp_path):
    """A sweep of two completed jobs, and one that failed."""
    (tmp_path / "s").mkdir()
    (tmp_path / "s/multirun.yaml").touch()
    for name, status in (("a", "completed"), ("b", "completed"), ("c", "failed")):
        job = job_of(tmp_path / "s", name, [f"seed={name}"], **scored(0.5) | {"status": status})
        (job / "checkpoints").mkdir()
        shutil.copy(best, job / "checkpoints/best.ckpt")
    weights = torch.load(tmp_path / "s/b/checkpoints/best.ckpt", weights_only=True)
    for value in weights["state_dict"].values():
        value += 0.05 * torch.randn(value.shape, generator=torch.Generator().manual_seed(1))
    torch.save(weights, tmp_path / "s/b/checkpoints/best.ckpt")
    return tmp_path / "s"


def test_the_probability_is_the_mean_of_the_jobs(sweep, use, tmp_path, capsys, digits):
    use(f"ckpt={sweep}", "ensemble=true", f"input={digits[0]}")
    assert "2 networks trained on mnist_sample" in capsys.readouterr().out
    together = json.loads((tmp_path / "predictions/predictions.json").read_text())
    alone = []
    for name in "ab":
        use(f"ckpt={sweep}/{name}", f"input={digits[0]}", f"output={name}")
        alone.append(json.loads((tmp_path / name / "predictions.json").read_text()))
    for both, one, other in zip(together, *alone, strict=True):
        for digit, probability in both["probabilities"].items():
            mean = (one["probabilities"][digit] + other["probabilities"][digit]) / 2
            assert probability == pytest.approx(mean, abs=2e-6)


def test_it_is_evaluated_like_one_network(sweep, use, tmp_path):
    use(f"ckpt={sweep}", "ensemble=true", "evaluate=test", "trainer.precision=32-true")
    data = MNISTSample()
    data.setup()
    members = [checkpoint.load(sweep / f"{name}/checkpoints/best.ckpt").network for name in "ab"]
    images = data.normalize(data.test_set.images)
    with torch.inference_mode():
        mean = sum(network(images).softmax(1) for network in members) / 2
    accuracy = (mean.argmax(1) == data.test_set.labels).float().mean().item()
    assert evaluated(tmp_path / "evaluation")["metrics"]["test/acc"] == pytest.approx(accuracy, abs=1e-6)


def test_outputs_of_a_regression_are_averaged():
    networks = [torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)]
    inputs = torch.ones(4, 3)
    expected = (networks[0](inputs) + networks[1](inputs)) / 2
    assert torch.allclose(Ensemble(networks, of_classes=False)(inputs), expected)


def test_what_is_no_sweep_or_asks_for_more_is_refused(sweep, best, use):
    with pytest.raises(ConfigError, match="is no sweep with completed jobs"):
        use(f"ckpt={best}", "ensemble=true", "evaluate=test")
    with pytest.raises(ConfigError, match="for input, evaluate and demo, not for export"):
        use(f"ckpt={sweep}", "ensemble=true", "export=state_dict")
    with pytest.raises(ConfigError, match="^ensemble=maybe: must be true or false"):
        use(f"ckpt={sweep}", "ensemble=maybe", "evaluate=test")


def test_networks_with_thresholds_of_their_own_do_not_predict_together(best):
    several = dataclasses.replace(checkpoint.load(best), task="Multilabel")
    with pytest.raises(ConfigError, match=r"^ensemble=true: each network has thresholds of its own"):
        together([several, several], best.parent)
