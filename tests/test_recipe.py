"""A recipe trained by litlab is the recipe: the very weights of a plain PyTorch loop over the same batches."""

import lightning
import torch
from torch import nn

from litlab.data import MNISTSample
from litlab.modules import Classification
from litlab.networks import CIFAR10Quick


def test_two_epochs_of_the_tutorial_are_those_of_a_plain_loop():
    def begin():
        torch.manual_seed(0)
        data = MNISTSample(batch_size=64, normalize=False, train_limit=1000)
        return data, CIFAR10Quick((1, 28, 28), 10)

    data, plain = begin()
    plain.to(memory_format=torch.channels_last)  # and * (1 / 255), as litlab: other roundings differ after 32 steps
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
