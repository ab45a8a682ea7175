"""`python predict.py`: predicts, evaluates, exports or shows a page, as the config says."""

import signal

from litlab import console
from litlab.checkpoint import Trained
from litlab.checkpoint.plain import NotAllowed
from litlab.config import Run, as_written
from litlab.errors import ConfigError, RunFailed, one_line
from litlab.prediction.demo import demo
from litlab.prediction.ensemble import load_asked
from litlab.prediction.evaluate import evaluate
from litlab.prediction.export import export
from litlab.prediction.invert import invert_setting
from litlab.prediction.predict import predict

# Settings that only some uses of a network read. The others have no use for them, and refuse them.
READ_BY: dict[str, tuple[str, ...]] = {
    "batch_size": ("input",),
    "num_workers": ("input",),
    "quiet": ("input",),
    "invert": ("input", "demo"),
    "host": ("demo",),
    "port": ("demo",),
    "output": ("input", "evaluate", "export"),
    "data": ("evaluate", "export", "demo"),
    "seed": ("evaluate", "export", "demo"),
    "export": ("export",),
    "trainer.precision": ("evaluate",),
}
NOTHING = ("none", "null", "false", "auto")  # values that ask for nothing
SWITCHES = ("demo", "ensemble", "calibrate", "quiet", "export.include_preprocess")


def run_prediction(run: Run) -> None:
    """Predicts, evaluates, exports or shows a page, as the config says.

    Raises:
        ConfigError: for a wrong setting, or a checkpoint that cannot be used.
        RunFailed: if a file could not be read, or memory ran out, among others.
    """
    console.quieten()
    check_settings(run)
    try:
        use(load_asked(run), run)
    except ConfigError:
        raise
    except (ValueError, OSError) as error:
        raise ConfigError(one_line(error)) from error
    except RuntimeError as error:  # out of memory, or a worker that was killed
        raise RunFailed(one_line(error)) from error
    except KeyboardInterrupt as error:
        raise RunFailed("stopped by SIGINT", 128 + signal.SIGINT) from error


def use(trained: Trained, run: Run) -> None:
    """Predicts, evaluates, exports or shows a page with a network.

    Raises:
        ConfigError: among others, naming the checkpoint, if its loss, a metric or its data set is not allowed.
    """
    try:
        if run.cfg.export.format:
            export(trained, run)
        elif run.cfg.evaluate:
            evaluate(trained, run)
        elif run.cfg.demo:
            demo(trained, run)
        else:
            predict(trained, run)
    except NotAllowed as error:
        raise ConfigError(f"{trained.path}: {error}") from error


def check_settings(run: Run) -> None:
    """Raises `ConfigError` if the settings ask for nothing, for several things at once, or have a wrong value."""
    cfg = run.cfg
    for key in SWITCHES:
        if (value := run.get(key, False)) not in (True, False):
            raise ConfigError(f"{key}={value}: must be true or false")
    if any(override.startswith("export.format=") for override in run.overrides):
        raise ConfigError(f"export.format={cfg.export.format}: write export={cfg.export.format}")
    opset = run.get("export.opset")
    if opset is not None and (not isinstance(opset, int) or isinstance(opset, bool)):
        raise ConfigError(f"export.opset={opset}: must be a whole number, such as 18")
    asked = [key for key in ("input", "evaluate") if cfg[key] is not None]
    asked += ["export"] if cfg.export.format else []
    asked += ["demo"] if cfg.demo else []
    if not asked:
        raise ConfigError("nothing to do: give input=PICTURE, evaluate=test, export=onnx or demo=true")
    if len(asked) > 1 and asked != ["input", "export"]:  # an export is checked on the input
        raise ConfigError(f"{' and '.join(asked)} at once: one of them at a time")
    if isinstance(cfg.input, str) and not cfg.input.strip():
        raise ConfigError("input= is empty: name a picture, a folder or a glob")
    if not isinstance(cfg.ckpt, str | int | float):
        several = "; ensemble=true and ckpt=SWEEP predict with all networks of a sweep" * (cfg.ckpt is not None)
        raise ConfigError(f"ckpt={as_written(cfg.ckpt)}: must be a checkpoint, a run folder or latest{several}")
    if cfg.evaluate not in (None, "train", "val", "test"):
        raise ConfigError(f"evaluate={cfg.evaluate}: must be train, val or test")
    invert_setting(cfg.invert)
    check_read(run, asked[-1])


def check_read(run: Run, use: str) -> None:
    """Refuses a setting that was typed and that nothing would read.

    Args:
        use: what is asked for: input, evaluate, export or demo.

    Raises:
        ConfigError: naming what the setting is for.
    """
    for override in run.overrides:
        key, _, value = override.lstrip("+~").partition("=")
        readers = READ_BY.get(key) or READ_BY.get(key.partition(".")[0])
        if readers is None or value in NOTHING:
            continue
        if use not in readers and not (run.get("calibrate") and key.partition(".")[0] == "data"):
            raise ConfigError(f"{override}: {use} does not read it; it is for {' and '.join(readers)}")
        if key == "seed" and not run.get("data._target_"):
            raise ConfigError(f"{override}: is for another data set, data=...; that of the checkpoint keeps its own")
