"""Train an image model.

python train.py                                        # MNIST, a small CNN, half a minute on two CPU cores
python train.py data=cifar10 model=cifar10_quick       # another data set, another network
python train.py experiment=cifar10_tutorial            # a named, checked-in experiment
python train.py trainer=gpu trainer.devices=2          # one or many GPUs are config, never code
python train.py resume=latest                          # go on with a run: the latest, a run folder or a checkpoint
python train.py -m optimizer.lr=0.001,0.01,0.1         # a sweep
python train.py --help                                 # what can be chosen
"""

from litlab.cli import script, signals_wait
from litlab.config import Run


@script("train", paths=("data.data_dir", "data.annotations", "model.weights"))
def main(run: Run) -> float | None:
    with signals_wait():
        from litlab.training import run_training  # imports torch: a mistyped setting need not wait for that

    return run_training(run)


if __name__ == "__main__":
    main()
