"""Records a run in its folder: its config before the training begins, and its failure if it never began."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from litlab import console
from litlab.checkpoint import how_to_go_on, whole_checkpoint
from litlab.config import Run, record
from litlab.errors import ConfigError, RunFailed, own_frames, place_of, with_type
from litlab.files import shown
from litlab.runs import CONFIG, LAST, RESULT, read_result, remove_if_unused, write_failed
from litlab.training import jobs
from litlab.training.settle import settle_for_all_processes


@contextmanager
def failure_recorded(run: Run) -> Iterator[None]:
    """Leaves a result if a run ends in an error before it trains, and no folder if a new run is refused.

    The list of runs has its status from that result. So has the table of a sweep, with a row for each job, refused ones
    too. A run that trains writes its own result. Own code that calls `sys.exit()` is such an error.
    """
    try:
        yield
    except ConfigError as error:
        if run.job:
            _try_to_write_failed(run, str(error))
        elif not run.resumed:
            remove_if_unused(run.folder)
        raise
    except Exception as error:
        interrupted = getattr(error, "status", 1) > 128
        if not interrupted and not (run.folder / RESULT).exists():
            _try_to_write_failed(run, with_type(error))
        raise
    except SystemExit as ended:
        if not own_frames(ended):
            raise
        failed = RunFailed(f"sys.exit() in your own code ended the run{place_of(ended)}")
        if not (run.folder / RESULT).exists():
            _try_to_write_failed(run, str(failed))
        raise failed from ended


def _try_to_write_failed(run: Run, error: str) -> None:
    """Leaves the result of a run that has failed, unless its disk is full, which may be what has ended it."""
    with suppress(OSError):
        write_failed(run.folder, error)


@contextmanager
def settled_and_recorded(run: Run) -> Iterator[Run]:
    """Settles what the config leaves open, records the config, and yields the run as it is to be trained.

    Raises:
        ConfigError: if a setting is wrong. A resumed run then has its earlier config in its folder again.
    """
    settled = settle_for_all_processes(run)
    if not run.resumed:
        if settled is not run and (run.folder / CONFIG).exists():
            record(run.folder, settled.cfg, settled.overrides)
        if run.job:
            jobs.share_cores(run.job, run.cfg.threads)
        yield settled
        return
    put_back = record(run.folder, settled.cfg, settled.overrides)
    try:
        console.log_to(run.folder)
        checkpoint = whole_checkpoint(run.folder, run.checkpoint)
        if checkpoint is None:
            _check_never_saved(run)
        place = checkpoint.name if checkpoint else "its beginning: it has no checkpoint"
        console.say(f"resuming {shown(run.folder)} from {place}")
        yield settled.from_checkpoint(checkpoint)
    except ConfigError:
        put_back()
        raise


def _check_never_saved(run: Run) -> None:
    """Refuses to begin a run anew that has lost its last checkpoint: its other ones would be removed."""
    saved, other = read_result(run.folder).get("last_checkpoint"), how_to_go_on(run.folder)
    if saved or other:
        instead = f"; {other}" if other else ", and there is no other; start a new run"
        raise ConfigError(f"resume={shown(run.folder)}: {saved or LAST} is gone{instead}")
