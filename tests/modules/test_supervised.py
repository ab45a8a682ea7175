"""The training step, under a Trainer and without one."""

import lightning
import pytest
import torch
from scripts import QUICK
from torch import nn

from litlab.data import MNISTSample
from litlab.modules import Classification
from litlab.networks import MLP, CIFAR10Quick, MnistCNN


def test_a_notebook_needs_three_lines():
    trainer = lightning.Trainer(
        accelerator="cpu", max_epochs=1, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, use_distributed_sampler=False,
    )  # fmt: skip
    trainer.fit(Classification(MnistCNN(), num_classes=10), MNISTSample())
    assert trainer.callback_metrics["val/acc"] > 0.5


@pytest.mark.parametrize("algorithm", ["norm", "value"])
def test_gradients_of_a_fused_optimizer_are_clipped_in_mixed_precision(algorithm):
    module = Classification(MLP(hidden=[8]), 10, optimizer=lambda p: torch.optim.SGD(p, lr=1.0, fused=True))
    before = [p.detach().clone() for p in module.network.parameters()]
    trainer = lightning.Trainer(
        accelerator="cpu", max_steps=1, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, use_distributed_sampler=False, precision="bf16-mixed",
        gradient_clip_val=1e-3, gradient_clip_algorithm=algorithm, limit_val_batches=0,
    )  # fmt: skip
    trainer.fit(module, MNISTSample())
    steps = [(p.detach() - b) for p, b in zip(module.network.parameters(), before, strict=True)]
    if algorithm == "norm":
        assert torch.nn.utils.get_total_norm(steps) == pytest.approx(1e-3, rel=1e-2)
    else:
        assert max(step.abs().max() for step in steps) == pytest.approx(1e-3, rel=1e-2)


@pytest.mark.slow
def test_two_epochs_of_the_tutorial_are_those_of_a_plain_loop():
    def begin():
        torch.manual_seed(0)
        data = MNISTSample(batch_size=64, normalize=False, train_limit=1000)
        return data, CIFAR10Quick((1, 28, 28), 10)

    data, plain = begin()
    plain.to(memory_format=torch.channels_last)  # and * (1 / 255), both as in litlab, for the same rounding
    data.setup()
    loader, optimizer = data.train_dataloader(), torch.optim.SGD(plain.parameters(), lr=0.01)
    for epoch in range(2):
        loader.batch_sampler.set_epoch(epoch)
        for images, labels in loader:
            optimizer.zero_grad()
            nn.functional.cross_entropy(plain(images * (1 / 255)), labels).backward()
            optimizer.step()

    data, network = begin()
    module = Classification(network, 10, optimizer=lambda parameters: torch.optim.SGD(parameters, lr=0.01))
    trainer = lightning.Trainer(
        accelerator="cpu", max_epochs=2, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, use_distributed_sampler=False, num_sanity_val_steps=0,
    )  # fmt: skip
    trainer.fit(module, data)
    for name, weights in plain.state_dict().items():
        torch.testing.assert_close(network.state_dict()[name], weights, rtol=1e-5, atol=1e-7)
    assert trainer.global_step == 2 * 16


@pytest.mark.slow
def test_compiled_steps_make_the_same_weights(tmp_path, train_here):
    """There are three full batches, and a smaller last one that is not compiled."""
    found = []
    for compiled in (True, False):
        torch._dynamo.utils.counters.clear()
        options = ("model=mlp", "data.train_limit=200", "trainer.precision=32-true", f"model.compile={compiled}")
        done = train_here(*QUICK, *options, f"hydra.run.dir=compiled_{compiled}")
        assert done.status == 0, done.err
        assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == int(compiled)
        saved = torch.load(tmp_path / f"compiled_{compiled}/checkpoints/last.ckpt", weights_only=True)
        found.append(saved["state_dict"])
    torch.testing.assert_close(found[0], found[1], rtol=1e-4, atol=1e-5)
    assert all(name.startswith("network.layers") for name in found[0])


@pytest.mark.slow
def test_compile_without_a_compiler_ends_in_one_line(train):
    done = train(*QUICK, "model=mlp", "model.hidden=[7]", "model.compile=true", cold=True, CXX="no-such-compiler")
    assert done.status == 1
    assert done.err.splitlines()[-1].startswith("failed: model.compile=true: InvalidCxxCompiler: No working C++ comp")
    assert "Traceback" not in done.err


def test_the_step_is_called_many_times_without_a_trainer():
    torch.manual_seed(0)
    data = MNISTSample(batch_size=64, train_limit=640)
    data.setup()
    module = Classification(MLP(hidden=[8]), 10)
    plain = MLP(hidden=[8])
    plain.load_state_dict(module.network.state_dict())
    optimizers = [torch.optim.SGD(network.parameters(), lr=0.1) for network in (module.network, plain)]
    for batch in data.train_dataloader():
        images, targets = data.preprocess(*batch, training=True)
        total, loss, predictions = module.step(images, targets)
        expected = nn.functional.cross_entropy(plain(images), targets)
        for optimizer, minimised in zip(optimizers, (total, expected), strict=True):
            optimizer.zero_grad()
            minimised.backward()
            optimizer.step()
        torch.testing.assert_close((total, loss), (expected, expected))
        assert predictions.shape == (64, 10)
    assert len(module.meters["train"]) == module.images_seen == 0  # the caller counts the steps
