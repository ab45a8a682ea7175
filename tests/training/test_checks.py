"""Parts that do not fit together are refused before anything is trained."""

import pytest
from scripts import asked

from litlab import config
from litlab.errors import ConfigError
from litlab.training import assemble, weights


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["model=mnist_cnn", "data=fake", "data.input_shape=[3,8,8]"], r"^model.input_shape \[3, 8, 8\] does not pass"),
        (["model=alexnet", "data=fake", "data.input_shape=[3,12,12]"], "does not pass"),
        (["model=mlp", "data=line_points"], "loss=.* is for classes.*use loss=mse objective=val/mse"),
        (["model=mlp", "loss=mse"], "loss=.* is for regression"),
        (["loss.class_weights=[1,2]"], "loss.class_weights must be 10, one for each class, not 2"),
        (
            ["loss.class_weights=[1,1,1,1,1,1,1,1,1,0]"],
            "loss.class_weights must be above 0, one for each class, not .*0",
        ),
        (["loss.label_smoothing=2"], r"loss.label_smoothing must be in \[0, 1\], not 2"),
        (["data=fake", "data.num_classes=4", "top5=true"], "top5=true: .* more than 5 classes"),
        (
            ["data=line_points", "loss=mse", "model=mlp"],
            "objective=val/acc is not logged; what is: train/loss, train/mae",
        ),
        (["trainer.limit_val_batches=0"], "objective=val/acc is not logged; what is: train/loss, train/acc"),
        (["experiment=linear_regression", "loss=bce"], "loss=.* takes predictions from 0 to 1.*model.output=sigmoid"),
        (
            ["experiment=mnist_fast", "scheduler=plateau"],
            "scheduler.monitor=val/loss is not logged; what is: train/loss, train/acc",
        ),
        (
            ["scheduler=cosine", "trainer.max_epochs=null", "+trainer.max_time=00:00:10:00"],
            "scheduler=.* needs the length of the training: write trainer.max_epochs",
        ),
        (
            ["trainer.precision=16-mixed", "trainer.gradient_clip_val=1"],
            "trainer.gradient_clip_val: in 16-mixed.*write optimizer.fused=false",
        ),
        (["scheduler=one_cycle", "scheduler.start_factor=0"], "scheduler.start_factor must be above 0, not 0"),
        (["model=resnet18", "model.pretrained=true"], "model.pretrained=true is for colour images"),
        (["model.weights=none.pth"], "model.weights=none.pth: no such checkpoint"),
        (["model=alexnet", "data=cifar10", "model.pretrained=true", "model.variant=small"], "weights need imagenet"),
    ],
)
def test_settings_that_contradict_each_other_are_refused_by_name(overrides, message):
    run = asked(*overrides)
    config.check(run.cfg)
    with pytest.raises(ConfigError, match=message) as caught:
        weights.load(run, assemble(run)[2].network)
    assert "\n" not in str(caught.value)
