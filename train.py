"""Train an image model.

python train.py                                        # MNIST, a small CNN, half a minute on two CPU cores
python train.py data=cifar10 model=cifar10_quick       # another data set, another network
python train.py experiment=cifar10_tutorial            # a named, checked-in experiment
python train.py trainer=gpu trainer.devices=2          # one or many GPUs are config, never code
python train.py resume=latest                          # go on with a run: the latest, a run folder or a checkpoint
python train.py -m optimizer.lr=0.001,0.01,0.1         # a sweep
python train.py --help                                 # what can be chosen

The way from here to the training step: litlab/cli/commands.py, litlab/training/run.py, litlab/modules/supervised.py.
`litlab train` is the same program where litlab is installed.
"""

from litlab.cli import train

if __name__ == "__main__":
    train()
