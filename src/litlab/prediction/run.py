"""`python predict.py`: predicts, evaluates, exports or shows a page, as the config says."""

import signal

from litlab import console
from litlab.config import Run
from litlab.errors import ConfigError, RunFailed, one_line
from litlab.prediction.demo import demo
from litlab.prediction.ensemble import load_asked
from litlab.prediction.evaluate import evaluate
from litlab.prediction.export import export
from litlab.prediction.predict import predict


def run_prediction(run: Run) -> None:
    """Predicts, evaluates, exports or shows a page, as the config says.

    Raises:
        ConfigError: for a wrong setting, or a checkpoint that cannot be used.
        RunFailed: if a file could not be read, or memory ran out, among others.
    """
    console.quieten()
    check_settings(run)
    try:
        trained = load_asked(run)
        if run.cfg.export.format:
            export(trained, run)
        elif run.cfg.evaluate:
            evaluate(trained, run)
        elif run.cfg.demo:
            demo(trained, run)
        else:
            predict(trained, run)
    except ConfigError:
        raise
    except (ValueError, OSError) as error:
        raise ConfigError(one_line(error)) from error
    except RuntimeError as error:  # out of memory, or a worker that was killed
        raise RunFailed(one_line(error)) from error
    except KeyboardInterrupt as error:
        raise RunFailed("stopped by SIGINT", 128 + signal.SIGINT) from error


def check_settings(run: Run) -> None:
    """Raises `ConfigError` if the settings ask for nothing, for several things at once, or have a wrong value."""
    cfg = run.cfg
    asked = [key for key in ("input", "evaluate") if cfg[key] is not None]
    asked += ["export"] if cfg.export.format else []
    if cfg.demo not in (True, False):
        raise ConfigError(f"demo={cfg.demo}: must be true or false")
    asked += ["demo"] if cfg.demo else []
    if not asked:
        raise ConfigError("nothing to do: give input=PICTURE, evaluate=test, export=onnx or demo=true")
    if len(asked) > 1 and asked != ["input", "export"]:  # an export is checked on the input
        raise ConfigError(f"{' and '.join(asked)} at once: one of them at a time")
    if cfg.get("ensemble", False) not in (True, False):
        raise ConfigError(f"ensemble={cfg.ensemble}: must be true or false")
    if cfg.get("calibrate", False) not in (True, False):
        raise ConfigError(f"calibrate={cfg.calibrate}: must be true or false")
    if cfg.evaluate not in (None, "train", "val", "test"):
        raise ConfigError(f"evaluate={cfg.evaluate}: must be train, val or test")
    if cfg.invert not in (True, False, "auto"):
        raise ConfigError(f"invert={cfg.invert}: must be auto, true or false")
