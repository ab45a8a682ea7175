import os
import time

from sweep_folders import job_of, scored

from litlab.sweeps import live_line
from litlab.sweeps.live_line import line


def test_the_line_says_what_is_done_and_how_long_the_rest_takes(tmp_path):
    began = time.time()
    assert line(tmp_path, 4, began, began + 10) == "0 of 4 jobs done"
    for name, value in (("a", 0.5), ("b", 0.7), ("old", 0.9)):
        job_of(tmp_path, name, [f"seed={name}"], **scored(value))
    os.utime(tmp_path / "old/result.json", (began - 100, began - 100))  # of an earlier start
    assert line(tmp_path, 4, began - 1, began + 9) == "2 of 4 jobs done, best val/acc 0.7000, about 10 s left"
    assert line(tmp_path, 2, began - 1, began + 9) == "2 of 2 jobs done, best val/acc 0.7000"


def test_without_a_terminal_it_is_printed_when_a_job_has_ended(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(live_line, "EVERY_S", 0.02)
    with live_line.live_line(tmp_path, 2):
        time.sleep(0.1)
        job_of(tmp_path, "a", ["seed=1"], **scored(0.5))
        time.sleep(0.3)
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 1
    assert said[0].startswith("1 of 2 jobs done, best val/acc 0.5000, about ")
