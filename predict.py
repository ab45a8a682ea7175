"""Use a trained image model.

python predict.py ckpt=latest input=dog.png            # what is it? a file, a folder, a glob, or [a.png,photos/]
python predict.py ckpt=latest evaluate=test            # how good is it? train, val or test
python predict.py ckpt=latest export=onnx              # or torch_export, state_dict, safetensors
python predict.py --help                               # all settings
"""

from omegaconf import DictConfig

from litlab.cli import script, signals_wait


@script("predict", paths=("ckpt", "input", "output", "data.data_dir", "data.annotations"))
def main(cfg: DictConfig) -> None:
    with signals_wait():
        from litlab.inference import run  # imports torch and Lightning, which a mistyped setting need not wait for

    run(cfg)


if __name__ == "__main__":
    main()
