import os

from litlab.sweeps.side_by_side import GIB, Gpus, gpus, jobs_that_fit, peak_memory

NONE = Gpus(0, 0, 0)


def test_the_scarcest_thing_decides_how_many_jobs_run_at_once():
    assert jobs_that_fit(GIB, 100 * GIB, NONE, 8) == (8, "8 cores")
    assert jobs_that_fit(2 * GIB, 5 * GIB, NONE, 8) == (3, "2.0 GiB of memory each")
    assert jobs_that_fit(GIB, 100 * GIB, Gpus(1, 10 * GIB, 3 * GIB), 8) == (3, "3.0 GiB of GPU memory each")
    assert jobs_that_fit(0, 0, NONE, 1) == (1, "1 core")
    assert jobs_that_fit(9 * GIB, GIB, NONE, 8)[0] == 1


def test_the_memory_of_a_process_is_known_while_it_is_there():
    assert peak_memory(os.getpid()) > 10 * 2**20
    assert peak_memory(2**22 + 1) == 0


def test_nvidias_program_says_what_gpus_there_are(tmp_path, monkeypatch):
    program = tmp_path / "nvidia-smi"
    program.write_text(
        '#!/bin/sh\ncase "$1" in *memory.free) echo 70000; echo 80000;; *) echo "12, 500"; echo "13, 900";; esac\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert gpus({12}) == Gpus(2, 150000 * 2**20, 500 * 2**20)
    assert gpus(set()) == Gpus(2, 150000 * 2**20, 0)
    program.write_text("#!/bin/sh\necho broken; exit 9\n")
    assert gpus({12}) == NONE
