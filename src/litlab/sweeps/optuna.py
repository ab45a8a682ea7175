"""`hydra/sweeper=optuna`: Optuna chooses each trial from what came of those before it.

Hydra's own plugin for Optuna stops at Optuna 2. The study is `study.db` (SQLite) in the sweep's folder, and the sweep
goes on from it: what a repeated command proposes does not depend on how often, or when, it was stopped.
"""

import itertools
import json
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from litlab.config import numeric, objective_mode
from litlab.errors import ConfigError, SweepStopped, one_line
from litlab.runs import OVERRIDES, read_result, write_failed
from litlab.sweeps.folders import folder_name
from litlab.sweeps.launchers import jobs_at_once
from litlab.sweeps.pruning import NAME, STUDY, import_optuna, written
from litlab.sweeps.sweeper import ReportedSweeper

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    Values: TypeAlias = CategoricalDistribution | FloatDistribution | IntDistribution


COMPOSITION = (HydraException, OmegaConfBaseException)  # what a bad combination of settings raises
Space = dict[str, "Values"]  # what is searched: the key of an override -> its values


class OptunaSweeper(ReportedSweeper):
    """Searches the settings given as `a,b`, `range(...)`, `interval(...)` or `tag(log, interval(...))`.

    Args:
        n_trials: how many trials there will be in all, those of earlier starts in the same folder included.
        n_jobs: how many are chosen, and given to the launcher, at once; below 1 one for each core.
        seed: of Optuna's sampler (TPE, Bergstra et al. 2011).
        prune: whether trials that do worse than the median of the others at the same epoch end early.
        prune_after_trials: how many trials must have ended before any is pruned.
        prune_after_epochs: how many epochs each trial has before it can be pruned. It is the trials' own processes
            that read these three: see `hopeless_by_median`.
    """

    def __init__(
        self,
        n_trials: int,
        n_jobs: int | None = 1,
        seed: int = 0,
        prune: bool = False,
        prune_after_trials: int = 5,
        prune_after_epochs: int = 1,
    ) -> None:
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
        folder = self.folder
        described = self._describe(fixed, space)
        self.save_config()
        direction = "minimize" if described["mode"] == "min" else "maximize"
        study = optuna.create_study(
            storage=f"sqlite:///{folder / STUDY}", study_name=NAME, direction=direction, load_if_exists=True
        )
        check_same(study, described, space, folder)
        while trials := self._next_trials(study, space):
            self._run(study, trials, space, fixed, folder)

    def _describe(self, fixed: list[str], space: Space) -> dict[str, Any]:
        """What must not change from one start to the next: objective, and what the numbers depend on."""
        cfg = self._any_composed(fixed, space)
        with open_dict(cfg):
            del cfg["hydra"]
        searched = tuple(key.split("@")[0].lstrip("+") for key in space)
        try:
            mode, all_settings = objective_mode(cfg), numeric(cfg)
        except ConfigError as error:
            raise HydraException(str(error)) from error
        settings = {
            key: value
            for key, value in all_settings.items()
            if not any(key == name or key.startswith(f"{name}.") for name in searched)
        }
        return {"mode": mode, "settings": settings, "searched": sorted(space)}

    def _any_composed(self, fixed: list[str], space: Space) -> DictConfig:
        """The config of some trial: the first options of the groups that go with everything else.

        Raises:
            HydraException: if there are none.
        """
        is_group = self.hydra_context.config_loader.get_group_options
        options = [values_of(v) if is_group(name.split("@")[0]) else values_of(v)[:1] for name, v in space.items()]
        errors: list[Exception] = []
        for values in itertools.product(*options):
            some = [f"{name}={written(value)}" for name, value in zip(space, values, strict=True)]
            try:
                return self._composed([*fixed, *some])
            except COMPOSITION as error:
                errors.append(error)
        raise errors[0]

    def _composed(self, overrides: list[str]) -> DictConfig:
        return self.hydra_context.config_loader.load_sweep_config(self.config, overrides)

    def _next_trials(self, study: "Study", space: Space) -> list["Trial"]:
        """Those that an earlier start has begun and not ended; else new ones."""
        import numpy as np
        import optuna

        begun = [t for t in study.get_trials(deepcopy=False) if t.state == optuna.trial.TrialState.RUNNING]
        if begun:
            trials = [optuna.trial.Trial(study, t._trial_id) for t in begun]
        else:
            left = self.n_trials - len(study.get_trials(deepcopy=False))
            trials = [study.ask() for _ in range(min(self.n_jobs, left))]
        for trial in trials:
            for place, (name, values) in enumerate(space.items()):
                # A generator for each value: a study that was stopped goes on as if it had not been.
                state = np.random.SeedSequence((self.seed, trial.number, place)).generate_state(1)[0]
                study.sampler = optuna.samplers.TPESampler(seed=int(state), constant_liar=self.n_jobs > 1)
                suggest(trial, name, values)
        return trials

    def _run(self, study: "Study", trials: list["Trial"], space: Space, fixed: list[str], folder: Path) -> None:
        import optuna

        chosen = {trial.number: [f"{k}={written(trial.params[k])}" for k in space] for trial in trials}
        jobs = [list(values) for values in dict.fromkeys(map(tuple, chosen.values()))]  # two alike are one job
        try:
            returned = self.launcher.launch([fixed + job for job in jobs], initial_job_idx=trials[0].number)
        except COMPOSITION:
            if not (refused := self._cannot_be_composed(chosen, fixed)):
                raise
            for number, error in refused.items():
                write_refused(folder, fixed, chosen[number], error)
                study.tell(number, state=optuna.trial.TrialState.FAIL)
            return  # the others stay begun, and are the next
        for trial in trials:
            done = returned[jobs.index(chosen[trial.number])]
            _ = done.return_value  # raises what the job did
            if done.hydra_cfg is None:  # its process was killed
                study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
                continue
            result = read_result(folder / Path(done.hydra_cfg.hydra.runtime.output_dir).name)
            found, status = result.get("objective"), result.get("status", "interrupted")
            if status == "interrupted":
                raise SweepStopped(128 + signal.SIGINT)  # the trial stays begun
            if status == "completed" and found:
                study.tell(trial.number, found["value"])
            elif status == "pruned":
                study.tell(trial.number, state=optuna.trial.TrialState.PRUNED)
            else:
                study.tell(trial.number, state=optuna.trial.TrialState.FAIL)

    def _cannot_be_composed(self, chosen: dict[int, list[str]], fixed: list[str]) -> dict[int, Exception]:
        found: dict[int, Exception] = {}
        for number, overrides in chosen.items():
            try:
                self._composed([*fixed, *overrides])
            except COMPOSITION as error:
                found[number] = error
        return found


def write_refused(folder: Path, fixed: list[str], chosen: list[str], error: Exception) -> None:
    """The folder of a trial that could not begin, so that it is a row of the table."""
    job = folder / folder_name(",".join(sorted(chosen)))
    (job / OVERRIDES).parent.mkdir(parents=True, exist_ok=True)
    OmegaConf.save(OmegaConf.create([*fixed, *chosen]), job / OVERRIDES)
    write_failed(job, one_line(error))


def distribution(override: Override) -> "Values":
    """The values that an override of the command line names, as Optuna's."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    values: Any = override.value()
    kind: Any
    try:
        if isinstance(values, IntervalSweep):
            whole = isinstance(values.start, int) and isinstance(values.end, int)
            kind = IntDistribution if whole else FloatDistribution
            return kind(values.start, values.end, log="log" in values.tags)
        if isinstance(values, RangeSweep) and not values.shuffle:
            steps = sorted(values.range())
            if len(steps) > 1:
                kind = IntDistribution if all(isinstance(step, int) for step in steps) else FloatDistribution
                return kind(steps[0], steps[-1], step=abs(values.step))
        return CategoricalDistribution(list(override.sweep_string_iterator()))
    except ValueError as error:
        raise HydraException(f"{override.input_line}: {error}") from error


def suggest(trial: "Trial", name: str, values: "Values") -> None:
    """Chooses a value; one that was chosen before stays."""
    from optuna.distributions import FloatDistribution, IntDistribution

    if isinstance(values, FloatDistribution):
        trial.suggest_float(name, values.low, values.high, step=values.step, log=values.log)
    elif isinstance(values, IntDistribution):
        trial.suggest_int(name, values.low, values.high, step=values.step, log=values.log)
    else:
        trial.suggest_categorical(name, values.choices)


def values_of(values: "Values") -> Sequence[Any]:
    """The values that can be counted, else one of them."""
    from optuna.distributions import CategoricalDistribution

    return values.choices if isinstance(values, CategoricalDistribution) else [values.low]


def check_same(study: "Study", described: dict[str, Any], space: Space, folder: Path) -> None:
    """Notes what a new study is about, and holds an old one against it.

    Raises:
        HydraException: naming the first difference.
    """
    from optuna.distributions import check_distribution_compatibility

    if not study.user_attrs:
        study.set_user_attr("about", described)
        return
    elsewhere = "use another hydra.sweep.dir"
    for name in set(study.user_attrs["about"]["searched"]) ^ set(described["searched"]):
        now_or_before = "now, and was not before" if name in described["searched"] else "no more, and was before"
        raise HydraException(f"{folder}: {name} is searched {now_or_before}: {elsewhere}")
    before, now = study.user_attrs["about"]["settings"], json.loads(json.dumps(described["settings"]))
    for key in [*now, *(key for key in before if key not in now)]:
        if before.get(key) != now.get(key):
            raise HydraException(f"{folder}: {key} was {before.get(key)}, which is now {now.get(key)}: {elsewhere}")
    for trial in study.get_trials(deepcopy=False):
        for name, values in trial.distributions.items():
            try:
                check_distribution_compatibility(values, space[name])
            except ValueError:
                raise HydraException(f"{folder}: {name} was {values}, now {space[name]}: {elsewhere}") from None
