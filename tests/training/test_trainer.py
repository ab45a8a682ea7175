"""What the Trainer's loggers need before a run begins."""

import importlib.machinery
import sys
from pathlib import Path
from types import ModuleType
from unittest.mock import Mock

import pytest
import torch
from scripts import asked

from litlab.config import SweepJob
from litlab.errors import ConfigError
from litlab.training import trainer


@pytest.fixture
def logged_out(monkeypatch):
    """A stand-in for wandb on a machine without a login: its words, and its own class of error."""

    usage_error = type("UsageError", (Exception,), {})
    login = Mock(side_effect=usage_error("No API key configured. Use `wandb login` to log in."))
    module = ModuleType("wandb")
    module.__spec__ = importlib.machinery.ModuleSpec("wandb", None)
    monkeypatch.setattr(module, "login", login, raising=False)
    monkeypatch.setitem(sys.modules, "wandb", module)
    monkeypatch.delenv("WANDB_MODE", raising=False)


@pytest.mark.usefixtures("logged_out")
def test_wandb_without_a_login_is_refused_in_one_line(tmp_path):
    run = asked("logger=wandb", folder=tmp_path)
    said = "No API key configured. Use `wandb login` to log in; or keep its files here, with logger.wandb.offline=true"
    with pytest.raises(ConfigError, match=said):
        trainer._constructor(run, "logger", "wandb", run.plain()["logger"]["wandb"])


@pytest.mark.usefixtures("logged_out")
def test_wandb_that_writes_files_only_needs_no_login(monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    trainer._check_login(asked("logger=wandb"))


@pytest.mark.parametrize("package", ["wandb", "mlflow"])
def test_a_logger_without_its_package_says_what_to_install(package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)  # as if it were not installed
    run = asked(f"logger={package}")
    with pytest.raises(ConfigError, match=f"^logger={package}: pip install {package} first$"):
        trainer._constructor(run, "logger", package, run.plain()["logger"][package])


@pytest.mark.parametrize("in_sweeps", ["false", "true"])
def test_a_job_of_a_sweep_has_the_projector_only_if_it_is_asked_for(in_sweeps):
    def panels(**more):
        run = asked(f"callbacks.projector.in_sweeps={in_sweeps}", **more)
        *_, last = trainer._configured_callbacks(run, run.plain()["callbacks"], torch.nn.Linear(1, 1))
        return {type(panel).__name__ for panel in last.panels}

    alone, in_sweep = panels(), panels(job=SweepJob(0, Path("sweep"), "Basic"))
    assert {"Projector", "Histograms"} <= alone
    assert alone - in_sweep == ({"Projector"} if in_sweeps == "false" else set())
    assert in_sweep <= alone
