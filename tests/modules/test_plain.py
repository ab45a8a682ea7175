"""The plain classes with a plain Trainer, as in a notebook."""

import lightning
import pytest
import torch

from litlab.data import MNISTSample
from litlab.modules import Classification
from litlab.networks import MLP


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("plain")
    quiet = {"enable_progress_bar": False, "enable_model_summary": False}
    trainer = lightning.Trainer(
        max_epochs=1, limit_train_batches=3, accelerator="cpu", default_root_dir=folder, logger=False, **quiet
    )
    module, data = Classification(MLP(hidden=[16]), num_classes=10), MNISTSample()
    trainer.fit(module, data)
    return trainer, module, data


def test_test_and_validate_return_and_print_the_metrics(fitted, capsys):
    trainer, module, data = fitted
    [tested] = trainer.test(module, data)
    assert set(tested) == {"test/loss", "test/acc"}
    assert "test/acc" in capsys.readouterr().out
    [validated] = trainer.validate(module, data, verbose=False)
    assert set(validated) == {"val/loss", "val/acc"}
    assert "val/acc" not in capsys.readouterr().out


def test_predict_returns_the_logits_of_the_test_set_in_its_order(fitted):
    trainer, module, data = fitted
    logits = torch.cat(trainer.predict(module, data))
    images, targets = data.test_set.__getitems__(list(range(8)))
    with torch.inference_mode():
        expected = module(data.preprocess(images, targets, training=False)[0])
    assert logits.shape == (1000, 10)
    torch.testing.assert_close(logits[:8], expected)


def test_a_checkpoint_that_needs_arguments_says_what_to_call(fitted):
    trainer, module, _ = fitted
    path = trainer.checkpoint_callback.best_model_path
    with pytest.raises(TypeError, match=r"call litlab\.load\(path\)\.network .* missing .*'network' and 'num_classes'"):
        Classification.load_from_checkpoint(path)
    again = Classification.load_from_checkpoint(path, network=MLP(hidden=[16]), num_classes=10)
    torch.testing.assert_close(again.network.state_dict(), module.network.state_dict())
