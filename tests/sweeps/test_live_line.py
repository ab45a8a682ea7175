import os
import shutil
import time

from sweep_folders import job_of, scored

from litlab.sweeps import live_line
from litlab.sweeps.halving import write_until
from litlab.sweeps.jobs import job_key
from litlab.sweeps.live_line import line


def test_the_line_says_what_is_done_and_how_long_the_rest_takes(tmp_path):
    began = time.time()
    assert line(tmp_path, jobs(6), 2, began, began + 10) == "0 of 6 jobs done"
    done(tmp_path, "other", began - 100, value=0.3, seconds=50.0)  # of an earlier start, with other values
    done(tmp_path, "a", began + 20, value=0.5, seconds=1.0)
    assert line(tmp_path, jobs(6), 2, began, began + 20) == "1 of 6 jobs done, best val/acc 0.5000, about 2 s left"
    done(tmp_path, "b", began + 21, value=0.7, seconds=3.0)
    assert line(tmp_path, jobs(6), 2, began, began + 21) == "2 of 6 jobs done, best val/acc 0.7000, about 4 s left"
    assert line(tmp_path, jobs(2), 2, began, began + 21) == "2 of 2 jobs done, best val/acc 0.7000"
    of_seven = line(
        tmp_path, jobs(3), 2, began, began + 21, before=3, total=7
    )  # a batch of three, and one job after it
    assert of_seven == "5 of 7 jobs done, best val/acc 0.7000, about 2 s left"


def test_jobs_of_an_earlier_start_count_and_interrupted_ones_do_not(tmp_path):
    began = time.time()
    done(tmp_path, "a", began - 100, value=0.9, seconds=50.0)
    done(tmp_path, "b", began - 100, status="failed")  # runs again
    done(tmp_path, "c", began - 100, status="interrupted")
    assert line(tmp_path, jobs(4), 2, began, began + 1) == "1 of 4 jobs done, best val/acc 0.9000"
    done(tmp_path, "d", began + 3, value=0.6, seconds=2.0)
    assert line(tmp_path, jobs(4), 2, began, began + 3) == "2 of 4 jobs done, best val/acc 0.9000, about 2 s left"
    for name, status in (("b", "failed"), ("c", "interrupted")):
        done(tmp_path, name, began + 5, status=status)
    assert line(tmp_path, jobs(4), 2, began, began + 5).startswith("3 of 4 jobs done, best val/acc 0.9000")


def test_a_job_that_waits_for_others_is_done_until_it_is_to_train_on(tmp_path):
    began = time.time()
    done(tmp_path, "a", began - 5, status="pruned", epochs=1)
    write_until(tmp_path, [(job_key(jobs(1)[0]), 0)], [1, 3])
    assert line(tmp_path, jobs(1), 2, began, began + 1).startswith("1 of 1 jobs done")
    write_until(tmp_path, [(job_key(jobs(1)[0]), 1)], [1, 3])
    assert line(tmp_path, jobs(1), 2, began, began + 1).startswith("0 of 1 jobs done")


def test_the_start_of_the_processes_is_no_part_of_a_job(tmp_path):
    began = time.time()
    for name, after in (("a", 20), ("b", 20), ("c", 25), ("d", 25)):  # each job takes 5 s, and the start took 15 s
        done(tmp_path, name, began + after, seconds=3.0)
    assert line(tmp_path, jobs(8), 2, began, began + 25).endswith(", about 10 s left")
    assert line(tmp_path, jobs(8), 2, began, began + 28).endswith(", about 7 s left")
    assert line(tmp_path, jobs(5), 2, began, began + 25).endswith(", about 5 s left")
    assert line(tmp_path, jobs(5), 2, began, began + 31).endswith("val/acc 0.5000"), "it takes longer than the others"


def test_before_anything_is_known_no_time_is_named(tmp_path):
    began = time.time()
    done(tmp_path, "a", began + 1, status="failed", objective=None)
    assert line(tmp_path, jobs(3), 2, began, began + 2) == "1 of 3 jobs done"


def jobs(count):
    """The overrides of jobs, as the launcher gets them."""
    return [[f"seed={name}", f"hydra.sweep.subdir={name}"] for name in "abcdefgh"[:count]]


def done(sweep, name, at, value=0.5, seconds=None, **result):
    shutil.rmtree(sweep / name, ignore_errors=True)
    trained = {"seconds": seconds} if seconds else {}
    job = job_of(sweep, name, [f"seed={name}"], **scored(value) | trained | result)
    os.utime(job / "result.json", (at, at))


def test_without_a_terminal_it_is_printed_when_a_job_has_ended(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(live_line, "EVERY_S", 0.02)
    with live_line.live_line(tmp_path, jobs(2), 2):
        time.sleep(0.1)
        done(tmp_path, "a", time.time(), seconds=100.0)
        time.sleep(0.3)
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 1
    assert said[0].startswith("1 of 2 jobs done, best val/acc 0.5000, about ")
