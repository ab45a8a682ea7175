"""Words of other programs, and of courses, that are several settings in litlab, or settings with another value."""

import re
from collections.abc import Callable, Sequence

from litlab.cli.keys import Keys
from litlab.cli.settings import assignment

Instead = Callable[[str, str, Keys], str | None]  # of a name, its value, and the settings there are
TRUE, FALSE = ("true", "yes", "on", "1", ""), ("false", "no", "off", "0", "null", "none")  # "": the word alone
LOGGERS = {  # of a logger, the option that has it, and the one that leaves it out
    "tensorboard": ("default", "csv"),
    "csv": ("default", "tensorboard"),
    "wandb": ("wandb", "default"),
    "mlflow": ("mlflow", "default"),
    "logger": ("default", "none"),
}


def instead(name: str, value: str | None, keys: Keys) -> str | None:
    """`trainer=gpu` for `device=cuda`: what to type, quoted for a shell; None if `name` is no such word.

    Args:
        name: with or without a group.
        value: None if the user has typed the name alone.
    """
    parts = name.replace("-", "_").replace("/", ".").lower().split(".")
    if parts[-1] == "enabled" and len(parts) > 1 and parts[-2] in LOGGERS:
        parts.pop()
    for words, written in WORDS:
        if parts[-1] in words:
            return written(parts[-1], value or "", keys)
    return None


def _folder(name: str, value: str, keys: Keys) -> str | None:
    if "output" in keys.all:
        return assignment("output", value or "FOLDER")
    return assignment("hydra.sweep.dir" if keys.is_sweep else "hydra.run.dir", value or "FOLDER")


def _name(name: str, value: str, keys: Keys) -> str | None:
    if value in keys.options("experiment"):
        return f"experiment={value}"
    return assignment("name", value or "NAME") if "name" in keys.all else None


def _device(name: str, value: str, keys: Keys) -> str | None:
    """Also `gpu=0`, as other programs name the first GPU, and `cuda:1`."""
    if value.lower() in ("cpu", "auto"):
        return f"trainer={value.lower()}"
    if match := re.fullmatch(r"(?:cuda:|gpu:)?(\d+(?:,\d+)*)", value.lower()):
        return f"trainer=gpu {assignment('trainer.devices', f'[{match[1]}]')}"
    return "trainer=gpu" if value.lower() in ("cuda", "gpu", "mps") else "trainer=cpu or trainer=gpu"


def _gpu(name: str, value: str, keys: Keys) -> str | None:
    if value.lower() in TRUE:
        return "trainer=gpu"
    return "trainer=cpu" if value.lower() in FALSE and value != "0" else _device(name, value, keys)


def _gpus(name: str, value: str, keys: Keys) -> str | None:
    return "trainer=cpu" if value == "0" else None


def _precision(name: str, value: str, keys: Keys) -> str | None:
    if name == "precision" and value.lower() not in ("fp16", "float16", "half", "bfloat16", "mixed"):
        return None
    if value.lower() in FALSE:
        return "trainer.precision=32-true"
    if name == "bf16" or value.lower() in ("bf16", "bfloat16"):
        return "trainer.precision=bf16-mixed"
    return "trainer.precision=16-mixed or trainer.precision=bf16-mixed"


def _metric(name: str, value: str, keys: Keys) -> str | None:
    match = re.fullmatch(r"(?:val[_/])?(acc|loss)", value)
    return f"objective=val/{match[1]}" if match and "objective" in keys.all else None


def _folds(name: str, value: str, keys: Keys) -> str | None:
    if "data.folds" not in keys.all:
        return None
    number = int(value) if value.isdecimal() and int(value) > 1 else 5
    folds = ",".join(map(str, range(number))) if number <= 10 else f"range({number})"
    return f"-m data.folds={number} {assignment('data.fold', folds)}"


def _logger(name: str, value: str, keys: Keys) -> str | None:
    if not keys.options("logger"):
        return None
    if name == "csv" and value.lower().endswith(".csv"):
        return f"data=csv {assignment('data.file', value)}"
    if value.lower() not in (*TRUE, *FALSE):
        return None
    having, without = LOGGERS[name]
    return f"logger={without if value.lower() in FALSE else having}"


WORDS: Sequence[tuple[Sequence[str], Instead]] = (
    (("save_dir", "output_dir", "out_dir", "log_dir", "logdir", "results_dir", "save_path", "output_path"), _folder),
    (("default_root_dir", "output"), _folder),
    (("exp", "exp_name", "experiment_name", "run_name"), _name),
    (("device",), _device),
    (("gpu", "cuda", "use_gpu", "use_cuda"), _gpu),
    (("gpus", "num_gpus"), _gpus),
    (("amp", "use_amp", "mixed_precision", "fp16", "half", "bf16", "precision"), _precision),
    (("kfold", "k_fold", "kfolds", "k_folds", "n_folds", "num_folds", "cv"), _folds),
    (("metric", "monitor"), _metric),
    (tuple(LOGGERS), _logger),
)
