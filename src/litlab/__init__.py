"""litlab: experiments with image models. Lightning trains, Hydra configures, litlab does the rest.

From a notebook, without any config::

    import lightning
    from litlab.data import MNIST
    from litlab.modules import Classification
    from litlab.networks import MnistCNN

    lightning.Trainer(max_epochs=1).fit(Classification(MnistCNN(), num_classes=10), MNIST())

or with the configs, and a run folder::

    run = litlab.train(experiment="mnist_cnn", overrides=["trainer.max_epochs=1"])
    litlab.load(run.folder)("seven.png")
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from litlab.notebook import load, train

__all__ = ["load", "train"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name in __all__:  # imported when it is first used: it needs torch, and `import litlab` does not
        return getattr(importlib.import_module("litlab.notebook"), name)
    raise AttributeError(f"module 'litlab' has no attribute {name!r}")
