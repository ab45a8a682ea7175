"""`hydra/sweeper=optuna`: Optuna chooses the settings of each trial from the results of those before it.

Hydra's own plugin for Optuna ends at Optuna 2. Here the study is in the sweep's folder, and a repeated command goes on
with it. The trials do not depend on how often, or when, the sweep was stopped.
"""

import itertools
import signal
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.utils import JobReturn
from hydra.errors import HydraException, MissingConfigException
from omegaconf import DictConfig, OmegaConf, open_dict

from litlab.config import numeric, objective_mode
from litlab.errors import ConfigError, SweepStopped, one_line
from litlab.runs import OVERRIDES, read_result, write_failed
from litlab.sweeps.composing import COMPOSITION
from litlab.sweeps.folders import check_apart_in_a_study, folder_name, subdir
from litlab.sweeps.launchers import jobs_at_once
from litlab.sweeps.pruning import METHODS, check_pruning, make_pruner
from litlab.sweeps.space import Space, choose, distribution, ends, some_values, with_whole_numbers, written
from litlab.sweeps.study import NAME, check_same, go_on_with, import_optuna, running_trials, storage_of
from litlab.sweeps.sweeper import ReportedSweeper

if TYPE_CHECKING:
    from optuna import Study, Trial

    from litlab.sweeps.study import Storage

WITHOUT_TRAINING = ("summary", "list")  # a run of these has no objective


class OptunaSweeper(ReportedSweeper):
    """Searches the settings given as `a,b`, `range(...)`, `interval(...)` or `tag(log, interval(...))`.

    The processes of the trials read the settings of pruning: see `litlab.sweeps.pruning`.

    Args:
        n_trials: the number of trials, those of earlier starts in the same folder included.
        n_jobs: how many are chosen, and given to the launcher, at once; -1: one for each core.
        seed: of Optuna's sampler (TPE, Bergstra et al. 2011).
        prune: whether a trial ends early if it is worse than others at the same epoch: `median`, `asha`, `hyperband` or
            False; True is `median`.
        prune_after_trials: how many trials must have ended before that; for `median`.
        prune_after_epochs: how many epochs each trial has before that.
        reduction_factor: one of so many trials trains on; for `asha` and `hyperband`.
    """

    def __init__(
        self,
        n_trials: int,
        n_jobs: int | str | None = 1,
        seed: int = 0,
        prune: Any = False,
        prune_after_trials: int = 5,
        prune_after_epochs: int = 1,
        reduction_factor: int = 3,
    ) -> None:
        check_pruning(prune, METHODS, prune_after_epochs, reduction_factor)
        for key, value in {"n_trials": n_trials, "seed": seed}.items():
            if type(value) is not int:
                raise HydraException(f"hydra.sweeper.{key}={value}: must be a whole number")
        if n_jobs not in (None, "auto") and type(n_jobs) is not int:
            raise HydraException(f"hydra.sweeper.n_jobs={n_jobs}: must be a whole number, auto or -1")
        if n_trials < 1:
            raise HydraException(f"hydra.sweeper.n_trials={n_trials}: must be at least 1")
        self.n_trials, self.n_jobs, self.seed = n_trials, jobs_at_once(n_jobs), seed

    def run_jobs(self, arguments: list[str]) -> None:
        """Runs trials until there are `n_trials`.

        Raises:
            HydraException: if Optuna is missing, nothing is searched, or the folder holds another study.
        """
        optuna = import_optuna()
        overrides = self.parsed(arguments)
        space = {o.get_key_element(): distribution(o) for o in overrides if o.is_sweep_override()}
        if not space:
            raise HydraException("hydra/sweeper=optuna: nothing is searched; write optimizer.lr='interval(0.001, 0.1)'")
        fixed = [argument for argument, o in zip(arguments, overrides, strict=True) if not o.is_sweep_override()]
        searched = (f"{name}={written(value)}" for name, values in space.items() for value in ends(values))
        try:
            self.check_values([*fixed, *searched])
        except MissingConfigException:
            raise
        except HydraException as error:
            raise HydraException(with_whole_numbers(str(error), overrides)) from None
        check_apart_in_a_study(subdir(self.config.hydra), self.n_trials)
        described = self._describe(fixed, space)
        self.save_config(self.n_trials)
        storage = storage_of(self.folder)
        study = optuna.create_study(
            storage=storage,
            study_name=NAME,
            direction="minimize" if described["mode"] == "min" else "maximize",
            load_if_exists=True,
            # With Hyperband, the sampler looks only at the trials of the same bracket.
            pruner=make_pruner(self.config.hydra.sweeper, described["settings"].get("trainer.max_epochs")),
        )
        check_same(study, described, space, self.folder)
        if objective := described["settings"].get("objective"):  # else it is searched
            with warnings.catch_warnings(action="ignore"):  # it is experimental; optuna-dashboard shows the name
                study.set_metric_names([objective])
        while trials := self._next_trials(study, storage, space):
            self._run(study, trials, space, fixed)

    def _describe(self, fixed: list[str], space: Space) -> dict[str, Any]:
        """What a later start must not change: the objective, and the settings that can change the numbers.

        Args:
            fixed: the overrides that all trials share.
            space: the settings that are searched.
        """
        cfg = self._some_config(fixed, space)
        with open_dict(cfg):
            del cfg["hydra"]
        for key in WITHOUT_TRAINING:
            if cfg.get(key) is True:
                raise HydraException(f"{key}=true trains nothing: leave hydra/sweeper=optuna out")
        try:
            mode, settings = objective_mode(cfg), numeric(cfg)
        except ConfigError as error:
            raise HydraException(str(error)) from error
        searched = [key.split("@")[0].lstrip("+") for key in space]
        same = {key: value for key, value in settings.items() if not any(_is_below(key, name) for name in searched)}
        return {"mode": mode, "settings": same, "searched": sorted(space)}

    def _some_config(self, fixed: list[str], space: Space) -> DictConfig:
        """The config of a trial, with the first options of the searched groups that go with all other settings.

        Raises:
            HydraException: if no options do.
        """
        is_group = self.hydra_context.config_loader.get_group_options
        options = [some_values(v) if is_group(name.split("@")[0]) else some_values(v)[:1] for name, v in space.items()]
        errors: list[Exception] = []
        for values in itertools.product(*options):
            some = [f"{name}={written(value)}" for name, value in zip(space, values, strict=True)]
            try:
                return self.composed([*fixed, *some])
            except COMPOSITION as error:
                errors.append(error)
        raise errors[0]

    def _next_trials(self, study: "Study", storage: "Storage", space: Space) -> list["Trial"]:
        """The trials that an earlier start has begun and not ended. If there are none, new trials."""
        import numpy as np
        import optuna

        trials = [go_on_with(study, storage, begun.number) for begun in running_trials(study)]
        if not trials:
            left = self.n_trials - len(study.get_trials(deepcopy=False))
            trials = [study.ask() for _ in range(min(self.n_jobs, left))]
        for trial in trials:
            for place, (name, values) in enumerate(space.items()):
                # Each value has a generator of its own, so that a study which was stopped chooses the same values.
                state = np.random.SeedSequence((self.seed, trial.number, place)).generate_state(1)[0]
                study.sampler = optuna.samplers.TPESampler(seed=int(state), constant_liar=self.n_jobs > 1)
                choose(trial, name, values)
        return trials

    def _run(self, study: "Study", trials: list["Trial"], space: Space, fixed: list[str]) -> None:
        """Runs trials, and tells the study how they ended."""
        import optuna

        chosen = {trial.number: [f"{key}={written(trial.params[key])}" for key in space] for trial in trials}
        jobs = [list(values) for values in dict.fromkeys(map(tuple, chosen.values()))]  # equal trials are one job
        try:
            self.launcher.total = self.n_trials
            returned = self.launcher.launch([fixed + job for job in jobs], initial_job_idx=trials[0].number)
        except COMPOSITION:
            refused = self._cannot_be_composed(chosen, fixed)
            if not refused:
                raise
            for number, error in refused.items():
                write_refused(self.folder, fixed, chosen[number], error)
                study.tell(number, state=optuna.trial.TrialState.FAIL)
            return  # for the study the other trials are still running: they come next
        for trial in trials:
            done = returned[jobs.index(chosen[trial.number])]
            _ = done.return_value  # raises the error of the job, if it had one
            self._tell(study, trial.number, done)

    def _tell(self, study: "Study", number: int, done: JobReturn) -> None:
        """Tells the study how a trial ended.

        Raises:
            SweepStopped: if it was interrupted. The trial is still running for the study, and so can go on.
        """
        import optuna

        if done.hydra_cfg is None:  # its process was killed
            study.tell(number, state=optuna.trial.TrialState.FAIL)
            return
        result = read_result(self.folder / Path(done.hydra_cfg.hydra.runtime.output_dir).name)
        found, status = result.get("objective"), result.get("status", "interrupted")
        if status == "interrupted":
            raise SweepStopped(128 + signal.SIGINT)
        if status == "completed" and found:
            study.tell(number, found["value"])
        elif status == "pruned":
            study.tell(number, state=optuna.trial.TrialState.PRUNED)
        else:
            study.tell(number, state=optuna.trial.TrialState.FAIL)

    def _cannot_be_composed(self, chosen: dict[int, list[str]], fixed: list[str]) -> dict[int, Exception]:
        """The trials with settings that do not go together, and the error of each."""
        found: dict[int, Exception] = {}
        for number, overrides in chosen.items():
            try:
                self.composed([*fixed, *overrides])
            except COMPOSITION as error:
                found[number] = error
        return found


def write_refused(folder: Path, fixed: list[str], chosen: list[str], error: Exception) -> None:
    """Makes the folder of a trial that could not begin, so that the table of the sweep has a row for it."""
    job = folder / folder_name(",".join(sorted(chosen)))
    (job / OVERRIDES).parent.mkdir(parents=True, exist_ok=True)
    OmegaConf.save(OmegaConf.create([*fixed, *chosen]), job / OVERRIDES)
    write_failed(job, one_line(error))


def _is_below(key: str, name: str) -> bool:
    return key == name or key.startswith(f"{name}.")
