"""Use a trained image model.

python predict.py ckpt=latest input=dog.png            # what is it? a file, a folder, a glob, or [a.png,photos/]
python predict.py ckpt=latest evaluate=test            # how good is it? train, val or test
python predict.py ckpt=latest export=onnx              # or torch_export, state_dict, safetensors
python predict.py --help                               # all settings
"""

from litlab.cli import script, signals_wait
from litlab.config import Run


@script("predict", paths=("ckpt", "input", "output", "data.data_dir", "data.annotations"))
def main(run: Run) -> None:
    with signals_wait():
        from litlab.prediction import run_prediction  # imports torch: a mistyped setting need not wait for that

    run_prediction(run)


if __name__ == "__main__":
    main()
