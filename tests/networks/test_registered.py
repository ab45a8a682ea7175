"""Networks of the two registries: they are built for the data, and their weights are found in files."""

import re

import pytest
import torch
from scripts import QUICK
from torchvision import models

from litlab import checkpoint
from litlab.networks import MLP, Registered, TimmModel, TorchvisionModel, load_weights, preprocessing

# One of each family. The first two of each registry are light.
TORCHVISION = (
    *("squeezenet1_1", "mobilenet_v3_small", "alexnet", "vgg11", "resnet18", "resnext50_32x4d", "wide_resnet50_2"),
    *("densenet121", "googlenet", "inception_v3", "mobilenet_v2", "shufflenet_v2_x0_5", "mnasnet0_5"),
    *("efficientnet_b0", "efficientnet_v2_s", "regnet_y_400mf", "convnext_tiny", "vit_b_32", "swin_t", "swin_v2_t"),
)
TIMM = (
    *("test_vit", "resnet10t", "resnet18", "convnext_atto", "efficientnet_lite0", "mobilenetv3_small_050", "dpn48b"),
    *("vit_tiny_patch16_224", "deit_tiny_distilled_patch16_224", "swin_tiny_patch4_window7_224", "mixer_s16_224"),
    *("xcit_nano_12_p16_224", "regnetx_002", "densenet121", "ghostnet_050", "lcnet_035", "mobilevit_xxs"),
    *("edgenext_xx_small", "repvgg_a0", "poolformer_s12"),
)
LIGHT = [(TorchvisionModel, name) for name in TORCHVISION[:2]] + [(TimmModel, name) for name in TIMM[:2]]
ALL = [(TorchvisionModel, name) for name in TORCHVISION] + [(TimmModel, name) for name in TIMM]


def made(registry: type[Registered], *arguments, **more) -> Registered:
    if registry is TimmModel:
        pytest.importorskip("timm")
    return registry(*arguments, **more)


@pytest.mark.parametrize("size", [32, 224])
@pytest.mark.parametrize(
    ("registry", "name"),
    [pytest.param(*pair, marks=() if pair in LIGHT else pytest.mark.slow, id=pair[1]) for pair in ALL],
)
def test_a_registered_network_learns_or_says_which_size_it_takes(registry, name, size):
    torch.manual_seed(0)
    network = made(registry, (3, size, size), 5, name)
    images = torch.randn(2, 3, size, size)
    try:
        with torch.no_grad():
            network.eval()(images)
    except (RuntimeError, ValueError, AssertionError):
        assert re.fullmatch(r"; it takes \d+ x \d+: write data.image_size=\d+", network.hint())
        return
    head = network.get_parameter(f"{network.new_layers[0]}weight")
    before = head.detach().clone()
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-4)  # some are large, and begin without statistics
    for module in network.train().modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eval()  # one pixel of two images is too little for statistics
    for _ in range(2):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(network(images), torch.tensor([0, 4]))
        loss.backward()
        optimizer.step()
    assert torch.isfinite(loss)
    assert not torch.equal(head, before)
    assert [key for key, p in network.named_parameters() if p.grad is None] == []
    again = made(registry, (3, size, size), 5, name)
    assert load_weights(again, network.state_dict()) == []
    with torch.no_grad():
        assert torch.equal(again.eval()(images), network.eval()(images))


@pytest.mark.parametrize(("registry", "name"), LIGHT)
def test_it_takes_grey_images_and_its_head_is_known(registry, name):
    network = made(registry, (1, 64, 64), 3, name, freeze="backbone")
    assert network(torch.zeros(2, 1, 64, 64)).shape == (2, 3)
    assert {key.removesuffix("weight").removesuffix("bias") for key, p in network.named_parameters() if p.requires_grad}
    assert all(key.startswith(network.new_layers) == p.requires_grad for key, p in network.named_parameters())


@pytest.mark.slow
def test_a_network_whose_layers_have_versions_is_trained_measured_and_loaded(train_here, use):
    short = ["data=mnist_sample", "data.image_size=32", "data.train_limit=64", "trainer=cpu", "trainer.max_epochs=1"]
    short += ["callbacks.report.enabled=false", "hydra.run.dir=run", "callbacks.model_summary.enabled=false"]
    done = train_here("model=torchvision", "model.name=mnasnet0_5", *short)
    assert done.status == 0, done.err  # the best checkpoint was loaded for the test
    use("ckpt=run", "evaluate=val")
    assert train_here("resume=run", "trainer.max_epochs=2").status == 0


def test_published_weights_fit_all_but_the_head():
    published = models.mobilenet_v3_small().state_dict()
    network = TorchvisionModel((3, 32, 32), 4, "mobilenet_v3_small")
    assert load_weights(network, published, skip_head=True) == ["model.classifier.3.weight", "model.classifier.3.bias"]
    assert torch.equal(network.model.features[0][0].weight, published["features.0.0.weight"])
    appended = TorchvisionModel((3, 32, 32), 4, "mobilenet_v3_small", head="append")
    load_weights(appended, published)
    assert torch.equal(appended.model.classifier[3].weight, published["classifier.3.weight"])
    with pytest.raises(ValueError, match="^head must be replace: the last layer is a convolution"):
        TorchvisionModel((3, 32, 32), 4, "squeezenet1_1", head="append")


def test_the_preprocessing_of_published_weights_is_known():
    found = preprocessing(TorchvisionModel.published(name="efficientnet_b0"))
    assert (found["image_size"], found["resize"], found["interpolation"]) == (224, 256, "bicubic")
    assert preprocessing(TorchvisionModel.published(name="inception_v3"))["normalize"]["mean"] == [0.5] * 3
    pytest.importorskip("timm")
    found = preprocessing(TimmModel.published(name="vit_tiny_patch16_224"))
    assert found["normalize"] == {"mean": [0.5] * 3, "std": [0.5] * 3}
    assert (found["image_size"], found["resize"], found["interpolation"]) == (224, 248, "bicubic")


def test_a_wrong_name_or_size_is_explained():
    with pytest.raises(ValueError, match=r"^name 'resnet19' is not one of torchvision's \d+: did you mean resnet\d+"):
        TorchvisionModel((3, 32, 32), 4, "resnet19")
    with pytest.raises(
        ValueError, match=r"^input_shape \[3, 28, 28\] does not fit vit_b_16: .*write data.image_size=32"
    ):
        TorchvisionModel((3, 28, 28), 4, "vit_b_16")
    pytest.importorskip("timm")
    for name in ("hf-hub:timm/resnet18", "local-dir:/tmp", "resnet18/../x"):
        with pytest.raises(ValueError, match="^name .* is not one of timm's"):
            TimmModel((3, 32, 32), 4, name)


@pytest.mark.parametrize(
    "wrap", ["module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module.", "net.", "module.model."]
)
def test_names_in_other_peoples_files_are_understood(wrap):
    own = MLP(hidden=[4])
    other = {f"{wrap}{name}": tensor for name, tensor in MLP(hidden=[4]).state_dict().items()}
    assert load_weights(own, other | {"n_averaged": torch.tensor(3)}) == []
    assert all(torch.equal(tensor, other[f"{wrap}{name}"]) for name, tensor in own.state_dict().items())


@pytest.mark.parametrize("wrap", ["", "model.", "backbone.", "module.backbone.", "model.backbone."])
def test_names_for_a_network_of_a_registry_may_have_any_beginning(wrap):
    own = TorchvisionModel((3, 32, 32), 5, "squeezenet1_1")
    other = {f"{wrap}{name}": tensor + 1 for name, tensor in own.model.state_dict().items()}
    assert load_weights(own, other) == []
    assert torch.equal(own.model.features[0].weight, other[f"{wrap}features.0.weight"])


def test_a_run_of_a_registered_network_is_used_without_its_config(train_here):
    light = ["data.train_limit=64", "data.val_size=32", "logger=none", "data.image_size=32", "data.eval_batch_size=64"]
    done = train_here(*QUICK, *light, "model=torchvision", "model.name=squeezenet1_1", "test=false")
    assert done.status == 0, done.err
    loaded = checkpoint.load(done.runs[0] / "checkpoints/best.ckpt")
    assert loaded.architecture.args["name"] == "squeezenet1_1"
    assert loaded.network(torch.zeros(1, 1, 32, 32)).shape == (1, 10)


def test_the_names_that_match_are_listed(train_here):
    done = train_here("model=torchvision", "model.name='vit*'", "list=true")
    assert (done.status, done.out.split()) == (0, ["vit_b_16", "vit_b_32", "vit_h_14", "vit_l_16", "vit_l_32"])
    assert done.runs == []
    done = train_here("model=lenet5", "list=true")
    assert (done.status, done.err.count("\n")) == (2, 1)
    assert "write model=torchvision or model=timm" in done.err
    done = train_here("model=lenet5", "list=no")
    assert (done.status, done.err) == (2, "error: list=no: must be true or false\n")
