"""Breaks real runs and holds what is left against a run left in peace: pytest -m slow tests/faults -s

Prints a table at its end. A fault counts as survived when the resumed run equals the undisturbed one bit for bit.
"""

import contextlib
import filecmp
import json
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from faults.compare import curves, differences
from faults.harness import LONGER, RUN, SOON, TABLE, count, judge, orphans, stopped_process, train, training, wait_for
from scripts import finish, start

from litlab.checkpoint import read

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    made: dict[tuple[str, ...], Path] = {}

    def get(*overrides: str) -> Path:
        if overrides not in made:
            folder = tmp_path_factory.mktemp("undisturbed")
            done = finish(train(folder, *RUN, *overrides, "hydra.run.dir=run"), folder)
            assert done.status == 0, done.err
            made[overrides] = folder / "run"
        return made[overrides]

    return get


def strike(folder: Path, signum: int, rng: random.Random, *arguments: str) -> int:
    """Starts a run, or goes on with it, and sends a signal at a random moment from its first sign of training on."""
    process = train(folder, *arguments)
    log = folder / "run/metrics.csv"

    def written() -> int:
        with contextlib.suppress(FileNotFoundError):
            return log.stat().st_mtime_ns
        return 0

    before = written()
    wait_for(lambda: written() not in (0, before), process)
    time.sleep(rng.uniform(0, 0.35))
    process.send_signal(signum)
    process.communicate(timeout=60)
    return process.returncode


@pytest.mark.parametrize(
    ("fault", "signum", "statuses", "times"),
    [("SIGKILL", signal.SIGKILL, {-9}, 15), ("SIGTERM", signal.SIGTERM, {143, -15}, 10)],
)
def test_signals_at_random_moments(tmp_path, undisturbed, fault, signum, statuses, times):
    """Five in a row hit one run before it may finish."""
    rng = random.Random(7)
    for series in range(times // 5):
        folder = tmp_path / str(series)
        folder.mkdir()
        hits = 0
        arguments = [*RUN, LONGER, "hydra.run.dir=run"]
        for _ in range(5):
            status = strike(folder, signum, rng, *arguments)
            hits += status in statuses
            assert status in statuses | {0}  # 0: it was faster
            arguments = ["resume=run"]
        done = finish(train(folder, "resume=run"), folder)
        judge(f"{fault} at a random moment", done, folder / "run", undisturbed(LONGER), hits)
    assert TABLE[f"{fault} at a random moment"].total() >= times * 0.8


def stopped(folder: Path, *arguments: str) -> Path:
    """A run that was stopped in its fifth epoch."""
    fault = "+callbacks.fault={_target_: faults.injected.SignalAt, signal_name: SIGTERM, step: 43, enabled: true}"
    done = finish(train(folder, *RUN, *arguments, "hydra.run.dir=run", fault), folder)
    assert done.status == 143, done.err
    return folder / "run"


@pytest.mark.parametrize("damage", ["truncated", "bit flipped"])
def test_a_damaged_checkpoint_is_named_and_the_one_before_it_used(tmp_path, undisturbed, damage):
    first = stopped(tmp_path)
    rng = random.Random(3)
    for time_ in range(3):
        folder = tmp_path / f"damaged{time_}"
        shutil.copytree(first, folder / "run")
        path = folder / "run/checkpoints/last.ckpt"
        content = bytearray(path.read_bytes())
        if damage == "truncated":
            del content[rng.randrange(len(content)) :]
        else:
            content[rng.randrange(len(content) // 4, len(content) // 2)] ^= 1 << rng.randrange(8)
        path.write_bytes(content)
        done = finish(train(folder, "resume=run", "callbacks.fault.enabled=false"), folder)
        assert "last.ckpt: not a whole checkpoint" in done.err
        assert "going on from previous.ckpt" in done.err
        judge(f"checkpoint {damage}", done, folder / "run", undisturbed())


def test_no_flipped_bit_goes_unnoticed(tmp_path):
    path = stopped(tmp_path) / "checkpoints/last.ckpt"
    whole, content, rng = read(path), path.read_bytes(), random.Random(5)
    from faults.compare import unequal

    for _ in range(300):
        flipped = bytearray(content)
        flipped[rng.randrange(len(flipped))] ^= 1 << rng.randrange(8)
        path.write_bytes(flipped)
        try:
            found = read(path)
        except ValueError:
            continue
        assert unequal(found, whole) == []  # a bit of padding, which nobody reads


@pytest.mark.parametrize(("signal_name", "rank"), [("SIGKILL", 1), ("SIGKILL", 0), ("SIGTERM", 1)])
def test_a_rank_of_two(tmp_path, undisturbed, signal_name, rank):
    fault = f"{{_target_: faults.injected.SignalAt, signal_name: {signal_name}, step: 43, rank: {rank}, enabled: true}}"
    two = ("trainer=ddp_cpu", "trainer.max_epochs=8")
    began = time.monotonic()
    done = finish(train(tmp_path, *RUN, *two, "hydra.run.dir=run", f"+callbacks.fault={fault}"), tmp_path)
    assert done.status == (143 if signal_name == "SIGTERM" else 1), done.err
    assert time.monotonic() - began < SOON
    assert orphans(tmp_path) == []
    done = finish(train(tmp_path, "resume=run", "callbacks.fault.enabled=false"), tmp_path)
    judge(f"{signal_name} to one rank of two", done, tmp_path / "run", undisturbed(*two))


FOUR = ("trainer=ddp_cpu", "trainer.devices=4")
ONE = ("trainer=cpu", "trainer.devices=1")


@pytest.mark.parametrize(("saved", "resumed"), [(FOUR, ONE), (ONE, FOUR)])
def test_another_number_of_processes_goes_on(tmp_path, undisturbed, saved, resumed):
    """On the same batches, so that only the order of additions differs: in double precision that is next to nothing."""
    plain = ("data.augment=[]", "trainer.max_epochs=8", "trainer.precision=64-true")
    stopped(tmp_path, *plain, *saved, "trainer.max_epochs=8", "trainer.log_every_n_steps=3")
    again = ("trainer.max_epochs=8", "trainer.log_every_n_steps=3", "callbacks.fault.enabled=false")
    done = finish(train(tmp_path, "resume=run", *resumed, *again), tmp_path)
    assert done.status == 0, done.err
    metrics = [
        json.loads((run / "result.json").read_text())["metrics"] for run in (tmp_path / "run", undisturbed(*plain))
    ]
    assert metrics[0] == pytest.approx(metrics[1], abs=1e-5)


@pytest.mark.parametrize(("signal_name", "fault"), [("SIGKILL", "killed data worker"), ("SIGSTOP", "hung data worker")])
def test_a_data_worker(tmp_path, undisturbed, signal_name, fault):
    inject = f"{{_target_: faults.injected.SignalWorker, signal_name: {signal_name}, step: 43, enabled: true}}"
    process = train(tmp_path, *RUN, "data.num_workers=2", "hydra.run.dir=run", f"+callbacks.fault={inject}")
    if signal_name == "SIGSTOP":
        wait_for(lambda: stopped_process(tmp_path), process)
        began = time.monotonic()
        wait_for(lambda: not stopped_process(tmp_path), process)
        assert time.monotonic() - began < SOON, "the worker that hangs was noticed too late"
    done = finish(process, tmp_path, timeout=90)
    assert done.status == 1
    assert "a data worker died or hung" in done.err
    assert len(done.err.splitlines()) == 1, done.err
    assert orphans(tmp_path) == []
    assert_resumed(fault, tmp_path, undisturbed("data.num_workers=2"))


def assert_resumed(fault: str, folder: Path, undisturbed: Path) -> None:
    done = finish(train(folder, "resume=run", "callbacks.fault.enabled=false"), folder)
    judge(fault, done, folder / "run", undisturbed)


@pytest.mark.parametrize("rank", [0, 1])
def test_a_hung_rank_of_two(tmp_path, undisturbed, rank):
    inject = f"{{_target_: faults.injected.SignalAt, signal_name: SIGSTOP, step: 43, rank: {rank}, enabled: true}}"
    two = ("trainer=ddp_cpu", "trainer.max_epochs=8")
    process = train(tmp_path, *RUN, *two, "hydra.run.dir=run", f"+callbacks.fault={inject}")
    wait_for(lambda: stopped_process(tmp_path), process)
    began = time.monotonic()
    done = finish(process, tmp_path)
    assert time.monotonic() - began < SOON
    assert done.status == 1
    assert f"failed: rank {rank} has not answered for 15 s: it hangs" in done.err
    assert orphans(tmp_path) == []
    assert_resumed("hung rank of two", tmp_path, undisturbed(*two))


def test_the_process_that_watches_the_ranks_is_killed(tmp_path, undisturbed):
    two = ("trainer=ddp_cpu", "trainer.max_epochs=8")
    inject = "{_target_: faults.injected.LongStep, step: 43, enabled: true}"
    process = train(tmp_path, *RUN, *two, "hydra.run.dir=run", f"+callbacks.fault={inject}")
    wait_for((tmp_path / "begun").exists, process)
    process.kill()
    began = time.monotonic()
    process.wait()
    while orphans(tmp_path):
        assert time.monotonic() - began < SOON
    assert_resumed("SIGKILL to the process that watches the ranks", tmp_path, undisturbed(*two))


def test_every_minutes_saves_within_an_epoch(tmp_path, undisturbed):
    often = ("checkpoint.every_n_steps=null", "checkpoint.every_minutes=0.0001")
    inject = "{_target_: faults.injected.SignalAt, signal_name: SIGKILL, step: 45, enabled: true}"
    done = finish(train(tmp_path, *RUN, *often, "hydra.run.dir=run", f"+callbacks.fault={inject}"), tmp_path)
    assert done.status == -signal.SIGKILL
    assert read(tmp_path / "run/checkpoints/last.ckpt")["global_step"] in (42, 43, 44, 45)
    assert_resumed("SIGKILL, checkpoint.every_minutes", tmp_path, undisturbed())


@pytest.mark.parametrize(
    ("signals", "within", "status", "message"),
    [
        ([signal.SIGINT, signal.SIGINT], 5, 130, ""),
        ([signal.SIGTERM], 15, 143, "the step did not end within preempt_grace_s=5"),
    ],
)
def test_a_step_that_does_not_end(tmp_path, undisturbed, signals, within, status, message):
    """A second Ctrl-C ends it at once; one SIGTERM when the grace period of 5 s is over. The step takes 60 s."""
    inject = "{_target_: faults.injected.LongStep, step: 43, enabled: true}"
    process = train(tmp_path, *RUN, "preempt_grace_s=5", "hydra.run.dir=run", f"+callbacks.fault={inject}")
    wait_for((tmp_path / "begun").exists, process)
    for signum in signals:
        time.sleep(0.3)
        process.send_signal(signum)
    began = time.monotonic()
    done = finish(process, tmp_path)
    assert time.monotonic() - began < within
    assert done.status == status
    assert message in done.err
    assert_resumed("a step that does not end, interrupted", tmp_path, undisturbed())


def test_two_processes_with_slow_steps_save_in_time(tmp_path, undisturbed):
    """A step in which nobody asks whether one was told to stop must not cost the grace period."""
    two = ("trainer=ddp_cpu", "trainer.max_epochs=8")
    inject = "{_target_: faults.injected.LongStep, step: 42, steps: 12, seconds: 1, enabled: true}"
    options = (*two, "preempt_grace_s=6", "hydra.run.dir=run", f"+callbacks.fault={inject}")
    process = train(tmp_path, *RUN, *options)
    wait_for((tmp_path / "begun").exists, process)
    process.send_signal(signal.SIGTERM)
    done = finish(process, tmp_path)
    assert done.status == 143, done.err
    assert 42 < read(tmp_path / "run/checkpoints/last.ckpt")["global_step"] < 48
    assert_resumed("SIGTERM between slow steps of two processes", tmp_path, undisturbed(*two))


def test_a_signal_is_not_lost_while_two_processes_ask_each_other_for_one(tmp_path, undisturbed):
    two = ("trainer=ddp_cpu", "trainer.max_epochs=8")
    inject = "{_target_: faults.injected.SignalWhileAsking, signal_name: SIGTERM, step: 43, enabled: true}"
    done = finish(train(tmp_path, *RUN, *two, "hydra.run.dir=run", f"+callbacks.fault={inject}"), tmp_path)
    assert done.status == 143, done.err
    assert_resumed("SIGTERM while two processes ask for one", tmp_path, undisturbed(*two))


def test_sigusr1_saves(tmp_path, undisturbed):
    inject = "{_target_: faults.injected.SignalAt, signal_name: SIGUSR1, step: 43, enabled: true}"
    done = finish(train(tmp_path, *RUN, "hydra.run.dir=run", f"+callbacks.fault={inject}"), tmp_path)
    assert done.status == 128 + signal.SIGUSR1, done.err
    assert read(tmp_path / "run/checkpoints/last.ckpt")["global_step"] == 44
    assert_resumed("SIGUSR1", tmp_path, undisturbed())


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A disk of 40 MB, which a file called filler can fill."""
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("only root can mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=False)


def fill(disk: Path) -> Path:
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    return filler


@contextlib.contextmanager
def mounted(image: Path, folder: Path) -> Iterator[Path]:
    """A disk whose blocks are a file; one that a power cut has left is put in order first."""
    # noauto_da_alloc: without what ext4 does for programs that forget fsync
    if subprocess.run(["mount", "-o", "loop,noauto_da_alloc", image, folder], capture_output=True).returncode:
        pytest.skip("only root can mount a disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=False)


def copy_of_one_moment(image: Path, copy: Path) -> None:
    """A copy during which the kernel has written nothing: else it would have blocks of before and of after."""
    for _ in range(50):
        shutil.copyfile(image, copy)
        if filecmp.cmp(image, copy, shallow=False):
            return
    raise TimeoutError("the kernel wrote to the disk all the time")


def test_power_cuts(tmp_path, undisturbed):
    """What is on the disk at a moment, without what the kernel still keeps in memory."""
    rng = random.Random(11)
    image, cut, disk = tmp_path / "image", tmp_path / "cut", tmp_path / "disk"
    disk.mkdir()
    for number in range(5):
        with image.open("wb") as file:
            file.truncate(64 << 20)
        subprocess.run(["mkfs.ext4", "-q", "-F", image], check=True)
        with mounted(image, disk):
            process = training(disk, LONGER)
            time.sleep(rng.uniform(0, 1))
            process.send_signal(signal.SIGSTOP)
            copy_of_one_moment(image, cut)
            process.kill()
            process.communicate()
        left = tmp_path / f"left{number}"
        with mounted(cut, disk):
            shutil.copytree(disk / "run", left / "run")  # to a disk that is faster than a file
        assert not (left / "run/result.json").exists()
        done = finish(train(left, "resume=run"), left)
        assert "from its beginning" not in done.out
        judge("power cut", done, left / "run", undisturbed(LONGER))


def test_a_full_disk(tmp_path, undisturbed):
    """The run goes on, says what was not saved, and ends with status 1; with room again, it is resumed."""
    with small_disk(tmp_path / "disk") as disk:
        process = training(disk, "callbacks.report.enabled=true")
        filler = fill(disk)
        done = finish(process, disk)
        assert done.status == 1, done.err
        assert "last.ckpt could not be saved" in done.err
        assert "No space left on device; training goes on" in done.err
        assert "Traceback" not in done.err
        assert "not saved: last.ckpt" in done.err.splitlines()[-1]
        filler.unlink()
        done = finish(train(disk, "resume=run"), disk)
        judge("disk full", done, disk / "run", undisturbed())


def test_a_disk_that_is_full_for_a_while(tmp_path, undisturbed):
    with small_disk(tmp_path / "disk") as disk:
        process = training(disk, LONGER)
        filler = fill(disk)
        time.sleep(1)
        filler.unlink()
        done = finish(process, disk)
        assert "last.ckpt could not be saved" in done.err
        judge("disk full for a while", done, disk / "run", undisturbed(LONGER))


def test_a_folder_that_is_away_for_a_while(tmp_path, undisturbed):
    """As a disk in the network may be."""
    process = training(tmp_path, LONGER)
    (tmp_path / "run").rename(tmp_path / "away")
    (tmp_path / "run").touch()  # or the run would make a new folder
    time.sleep(1)
    (tmp_path / "run").unlink()
    (tmp_path / "away").rename(tmp_path / "run")
    done = finish(process, tmp_path)
    assert "last.ckpt could not be saved" in done.err
    judge("run folder away for a while", done, tmp_path / "run", undisturbed(LONGER))


def test_a_folder_that_is_removed(tmp_path, undisturbed):
    """All is in the new folder but what TensorBoard had been told before."""
    process = training(tmp_path, LONGER)
    (tmp_path / "run").rename(tmp_path / "removed")
    done = finish(process, tmp_path)
    assert "training goes on in a new folder" in done.err
    lost = [done.err] if done.status else differences(tmp_path / "run", undisturbed(LONGER))
    assert [difference for difference in lost if not difference.startswith("TensorBoard")] == []
    assert {"epoch", "val/loss"} <= set(curves(tmp_path / "run"))
    log = (tmp_path / "run/train.log").read_text()
    assert "training goes on in a new folder" in log
    assert "completed after" in log
    assert finish(train(tmp_path, "resume=run", "trainer.max_epochs=17"), tmp_path).status == 0


def test_a_nan_in_one_process_of_two_takes_both_back(tmp_path):
    """As if the run had been stopped there, and resumed with half the learning rate."""
    rewound, resumed = tmp_path / "rewound", tmp_path / "resumed"
    for folder in (rewound, resumed):
        folder.mkdir()
    two = [*RUN, "trainer=ddp_cpu", "trainer.max_epochs=8", "hydra.run.dir=run", "optimizer.lr=0.002"]
    fault = "+callbacks.fault={_target_: faults.injected.NaNLoss, step: 43, rank: 1, enabled: true}"
    done = finish(train(rewound, *two, "on_nan=rewind", fault), rewound)
    assert done.status == 0, done.err
    assert "back to last.ckpt with half the learning rate, 0.001 (rewind 1 of 3)" in done.err
    killed = "+callbacks.fault={_target_: faults.injected.SignalAt, signal_name: SIGKILL, step: 43, enabled: true}"
    assert finish(train(resumed, *two, killed), resumed).status == 1
    again = train(resumed, "resume=run", "optimizer.lr=0.001", "callbacks.fault.enabled=false")
    done = finish(again, resumed)
    lost = [done.err] if done.status else differences(rewound / "run", resumed / "run")
    how = ("result.json rewinds", "result.json config", "TensorBoard's /_hparams_")  # it came to this learning rate
    lost = [difference for difference in lost if not difference.startswith(how)]
    count("NaN in one process of two, on_nan=rewind", not lost)
    assert not lost


def test_ten_processes_prepare_one_data_set(tmp_path):
    """Each is a run of its own, which trains on what one of them fetched."""
    runs = [tmp_path / str(number) for number in range(10)]
    quick = [
        "data=mnist",
        "data.train_limit=640",
        "trainer.max_epochs=1",
        "test=false",
        f"data.data_dir={tmp_path}/data",
    ]
    for run in runs:
        run.mkdir()
    processes = [train(run, *RUN[1:], *quick, "hydra.run.dir=run") for run in runs]
    statuses = [finish(process, run).status for process, run in zip(processes, runs, strict=True)]
    assert statuses == [0] * 10
    for run in runs[1:]:
        lost = differences(run / "run", runs[0] / "run")
        count("ten processes prepare one data set", not lost)
        assert not lost
    count("ten processes prepare one data set", True)


def test_an_evaluation_is_the_same_on_any_number_of_processes(tmp_path, undisturbed):
    """1,000 test images in batches of 64 divide neither among three processes nor into whole batches."""
    found = []
    for count_ in (1, 3):
        where = ("trainer=cpu",) if count_ == 1 else ("trainer=ddp_cpu", "trainer.devices=3")
        arguments = ("evaluate=test", "data.eval_batch_size=64", f"output=out{count_}", *where)
        done = finish(start("predict.py", f"ckpt={undisturbed()}", *arguments, folder=tmp_path), tmp_path)
        assert done.status == 0, done.err
        found.append(json.loads((tmp_path / f"out{count_}/evaluation.json").read_text()))
    assert found[0]["images"] == found[1]["images"] == 1000
    assert found[0]["metrics"] == pytest.approx(found[1]["metrics"], abs=1e-6)


def test_fsdp_is_ddp_and_goes_on_anywhere(tmp_path, undisturbed):
    two = ("trainer=ddp_cpu", "trainer.max_epochs=8", "data.augment=[]")
    stopped(tmp_path, *two, "trainer.log_every_n_steps=3", "trainer.strategy=fsdp")
    done = finish(train(tmp_path, "resume=run", "callbacks.fault.enabled=false"), tmp_path)
    assert done.status == 0, done.err
    reference = undisturbed("data.augment=[]", "trainer.max_epochs=8")
    metrics = [json.loads((run / "result.json").read_text())["metrics"] for run in (tmp_path / "run", reference)]
    # Gradients are averaged in another order, in each of 80 steps: 3e-5 of the loss, measured.
    assert metrics[0] == pytest.approx(metrics[1], abs=1e-4)
    alone = ("trainer=cpu", "trainer.strategy=auto", "trainer.max_epochs=9")
    done = finish(train(tmp_path, "resume=run", "callbacks.fault.enabled=false", *alone), tmp_path)
    assert done.status == 0, done.err


def test_two_runs_in_the_same_second_have_two_folders(tmp_path):
    quick = [*RUN, "trainer.max_epochs=1"]
    for time_ in range(2):
        folder = tmp_path / str(time_)
        folder.mkdir()
        processes = [train(folder, *quick) for _ in range(3)]
        statuses = [finish(process, folder).status for process in processes]
        runs = [path.parent for path in folder.glob("runs/*/*/result.json")]
        assert (statuses, len(runs)) == ([0] * 3, 3)
        lost = [difference for run in runs[1:] for difference in differences(run, runs[0])]
        count("three runs in the same second", not lost)
        assert not lost
