"""Parts that do not fit together are refused before anything is trained."""

import pytest
import torch
from pictures import draw_folder
from scripts import asked

from litlab import config
from litlab.errors import ConfigError
from litlab.training import assemble, weights
from litlab.training.build import make_averaged
from litlab.training.checks import check_network, check_optimization
from litlab.training.loss import check_loss
from litlab.training.network import advice


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["model=mnist_cnn", "data=fake", "data.input_shape=[3,8,8]"],
            r"^data.input_shape=\[3,8,8\]: model=MODEL cannot take images \[3, 8, 8\] of data=DATA: ",
        ),
        (
            ["data.device=gpu", "trainer=cpu"],
            "^data.device=gpu: the training is not on a CUDA GPU; write data.device=auto$",
        ),
        (["data.image_size=4"], r"^data.image_size=4: model=MODEL cannot take images \[1, 4, 4\] of data=DATA: "),
        (["model=alexnet", "data=fake", "data.input_shape=[3,12,12]"], r"^data.input_shape=\[3,12,12\]: model=MODEL"),
        (["data=line_points"], "takes images, and data=.* has points: use model=mlp loss=mse objective=train/mse$"),
        (["data=line_points", "loss=mse"], "takes images, and data=.* has points: use model=mlp$"),
        (["model=mlp", "data=line_points"], "loss=.* is for classes.*use loss=mse objective=train/mse"),
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
        (
            ["trainer.limit_val_batches=0"],
            "objective=val/acc is not logged, as this run validates nothing: write objective=train/acc$",
        ),
        (["experiment=linear_regression", "loss=bce"], "loss=.* takes predictions from 0 to 1.*model.output=sigmoid"),
        (
            ["experiment=mnist_fast", "scheduler=plateau"],
            "scheduler.monitor=val/loss is not logged, as this run .*: write scheduler.monitor=train/loss$",
        ),
        (
            ["scheduler=cosine", "trainer.max_epochs=null", "+trainer.max_time=00:00:10:00"],
            "scheduler=.* needs the length of the training: write trainer.max_epochs",
        ),
        (
            ["trainer.precision=16-mixed", "trainer.gradient_clip_val=1"],
            "trainer.gradient_clip_val: in 16-mixed.*write optimizer.fused=false",
        ),
        (["scheduler.min_factor=-2"], "^scheduler.min_factor must be at least 0, not -2$"),
        (["scheduler=linear", "scheduler.final_factor=-1"], "^scheduler.final_factor must be at least 0, not -1$"),
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


class Listed(torch.nn.Module):
    """One of its layers is in a plain list."""

    def __init__(self, input_shape, num_classes) -> None:
        super().__init__()
        self.blocks = [torch.nn.Linear(784, 8)]
        self.last = torch.nn.Linear(8, num_classes)
        self.shared = [self.last, torch.nn.ReLU()]

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.last(self.blocks[0](images.flatten(1)))


class Ending(torch.nn.Sequential):
    """An own network with a given end."""

    def __init__(self, *end: torch.nn.Module) -> None:
        super().__init__(torch.nn.Flatten(), torch.nn.Linear(784, 10), *end)


@pytest.mark.parametrize(
    ("end", "loss", "warns"),
    [
        (torch.nn.Softmax(1), torch.nn.CrossEntropyLoss(), True),
        (torch.nn.Identity(), torch.nn.CrossEntropyLoss(), False),
        (torch.nn.Sigmoid(), torch.nn.CrossEntropyLoss(), False),
        (torch.nn.LogSoftmax(1), torch.nn.NLLLoss(), False),
    ],
)
def test_a_softmax_before_a_loss_that_has_one_is_named(capsys, end, loss, warns):
    run = asked("data=mnist_sample")
    check_loss(run, loss, run.build("data"), Ending(end))
    said = "warning: model=MODEL makes probabilities, and loss=LOSS takes logits: leave out the softmax\n"
    assert capsys.readouterr().err == said * warns


def test_layers_in_a_plain_list_are_named(capsys):
    run = asked("data=mnist_sample")
    check_network(run, Listed((1, 28, 28), 10), run.build("data"))
    said = "warning: model=MODEL: the layers in the list Listed.blocks are not trained; layers in a list need nn.Module"
    assert said in capsys.readouterr().err
    check_network(run, run.build("model", input_shape=(1, 28, 28), num_classes=10), run.build("data"))
    assert capsys.readouterr().err == ""


def test_a_group_without_a_target_is_named():
    run = asked("~model._target_", "data=mnist_sample")
    with pytest.raises(ConfigError, match="^model=MODEL: has no _target_, the class or the function that makes it$"):
        assemble(run)


def test_an_optimizer_that_is_not_partial_says_so():
    run = asked("~optimizer._partial_", "data=mnist_sample")
    with pytest.raises(ConfigError, match="^optimizer: write _partial_: true beside its _target_"):
        assemble(run)


@pytest.mark.parametrize("precision", ["bf16-true", "64-true"])
def test_averages_are_refused_with_weights_that_have_not_32_bits(precision):
    run = asked("ema=0.9", f"trainer.precision={precision}", "data=mnist_sample")
    with pytest.raises(ConfigError, match=rf"^ema: averages have 32 bits; write .*, not {precision}$"):
        make_averaged(run, assemble(run)[2])


@pytest.mark.parametrize("below", ["", "train"])
def test_own_pictures_are_not_taken_for_the_folder_of_another_data_set(tmp_path, below):
    draw_folder(tmp_path / below, 3)
    for more in ([], ["data=mnist_sample"]):
        with pytest.raises(
            ConfigError, match=r"^data.data_dir=\S+: data=DATA does not read pictures; write data=image"
        ):
            assemble(asked(f"data.data_dir={tmp_path}", "trainer=cpu", *more))
    assert {path.name for path in (tmp_path / below).iterdir()} == {"blue", "red"}
    assemble(asked("data=fashion_mnist", f"data.data_dir={tmp_path}", "trainer=cpu"))  # which somebody chose
    assemble(asked(f"data.data_dir={tmp_path}/elsewhere", "trainer=cpu"))


def test_pictures_of_one_class_alone_are_nothing_to_learn(tmp_path):
    draw_folder(tmp_path / "pictures", 4, classes=("red",))
    run = asked("data=image_folder", f"data.data_dir={tmp_path}/pictures", "model=resnet18", "trainer=cpu")
    with pytest.raises(ConfigError, match="must have a folder for each of two classes or more; found: red$"):
        assemble(run)


class Focal(torch.nn.Module):
    """A loss as a user writes it: of no class that torch has."""

    def forward(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        right = logits.log_softmax(1).gather(1, targets[:, None]).exp()
        return ((1 - right) ** 2 * -right.log()).mean()


class OneHotMSE(torch.nn.MSELoss):
    """A loss for classes, although torch's loss of this kind is for regression."""

    def forward(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return super().forward(logits.softmax(1), torch.eye(logits.shape[1])[targets])


@pytest.fixture(scope="module")
def classes():
    run = asked("data=mnist_sample")
    return run, run.build("data")


@pytest.mark.parametrize("loss", [Focal(), OneHotMSE(), torch.nn.MultiMarginLoss()])
def test_a_loss_of_any_class_is_taken_if_it_works_on_a_batch(classes, loss):
    run, data = classes
    check_loss(run, loss, data, torch.nn.Identity())


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (
            torch.nn.CrossEntropyLoss(reduction="none"),
            r"^loss=LOSS must return one number for a batch, \[\], not \[11\]",
        ),
        (lambda logits, targets: 1.0, "^loss=LOSS must return one number for a batch, .*not float"),
        (lambda logits, targets: (logits.argmax(1) != targets).float().mean(), "^loss=LOSS has no gradient"),
        (lambda logits: logits.sum(), "^loss=LOSS: .*takes 1 positional argument"),
        (torch.nn.HuberLoss(), "^loss=LOSS is for regression, and data=DATA has classes: use loss=cross_entropy$"),
    ],
)
def test_a_loss_that_does_not_work_on_a_batch_says_why(classes, loss, message):
    run, data = classes
    with pytest.raises(ConfigError, match=message):
        check_loss(run, loss, data, torch.nn.Identity())


def test_the_schedulers_of_torch_are_taken_by_their_names():
    overrides = [
        "+scheduler._target_=torch.optim.lr_scheduler.StepLR",
        "+scheduler.step_size=2",
        "+scheduler.gamma=0.5",
    ]
    run = asked("data=mnist_sample", "scheduler=none", *overrides)
    config.check(run.cfg)
    module = assemble(run)[2]
    optimizer = module.make_optimizer(module.network.parameters())
    [entry] = module.make_schedulers(optimizer, 10, 5)
    assert entry["interval"] == "epoch"
    assert isinstance(entry["scheduler"], torch.optim.lr_scheduler.StepLR)


def test_a_scheduler_of_torch_that_is_made_of_others_is_taken_too():
    name = "torch.optim.lr_scheduler"
    parts = f"[{{_target_: {name}.LinearLR}}, {{_target_: {name}.ExponentialLR, gamma: 0.9}}]"
    overrides = [
        f"+scheduler._target_={name}.SequentialLR",
        f"+scheduler.schedulers={parts}",
        "+scheduler.milestones=[2]",
    ]
    run = asked("data=mnist_sample", "scheduler=none", *overrides)
    config.check(run.cfg)
    module = assemble(run)[2]
    check_optimization(run, module)
    optimizer = module.make_optimizer(module.network.parameters())
    [entry] = module.make_schedulers(optimizer, 10, 5)
    assert isinstance(entry["scheduler"], torch.optim.lr_scheduler.SequentialLR)


def test_a_network_for_digits_on_photographs_is_named_unless_it_was_chosen(tmp_path):
    photographs = ["data=image_folder", f"data.data_dir={draw_folder(tmp_path / 'photos', count=2)}"]
    run = asked(*photographs)
    assert advice(run, run.build("data")) == (
        "model=MODEL is made for digits, and photographs need another network: "
        "experiment=fine_tune_folder, or model=resnet18"
    )
    for chosen in (["model=mnist_cnn"], ["experiment=fine_tune_folder"]):
        run = asked(*photographs, *chosen)
        assert advice(run, run.build("data")) is None
    assert advice(asked(), asked().build("data")) is None
