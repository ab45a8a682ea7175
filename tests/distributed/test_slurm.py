import os

import pytest

from litlab.distributed import hosts, local_size, rank, world_size
from litlab.distributed.slurm import adopt_slurm

TASK = {
    "SLURM_PROCID": "5",
    "SLURM_LOCALID": "1",
    "SLURM_NODEID": "2",
    "SLURM_NTASKS": "6",
    "SLURM_STEP_NUM_TASKS": "6",
    "SLURM_STEP_TASKS_PER_NODE": "2(x3)",
    "SLURM_STEP_NODELIST": "node[07-09]",
    "SLURM_JOB_ID": "4711",
}
OF_TORCHRUN = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "GROUP_RANK", "MASTER_ADDR", "MASTER_PORT")


@pytest.fixture
def task(monkeypatch):
    """Sets the variables of a task of `srun`; all that is set in a test is gone after it."""
    for name in (*TASK, *OF_TORCHRUN):
        monkeypatch.setenv(name, "")  # so that it is put back
        monkeypatch.delenv(name)

    def set_variables(**changes):
        for name, value in (TASK | changes).items():
            monkeypatch.setenv(name, value)

    return set_variables


def test_a_task_of_srun_has_the_variables_of_torchrun(task):
    task()
    adopt_slurm()
    assert (rank(), world_size(), local_size(), hosts()) == (5, 6, 2, 3)
    assert (os.environ["LOCAL_RANK"], os.environ["GROUP_RANK"], os.environ["MASTER_ADDR"]) == ("1", "2", "node07")
    assert int(os.environ["MASTER_PORT"]) > 1024
    assert "SLURM_NTASKS" not in os.environ, "Lightning would set up the processes itself"


def test_a_given_address_is_kept(task):
    task(MASTER_ADDR="10.0.0.1", MASTER_PORT="29500")
    adopt_slurm()
    assert (os.environ["MASTER_ADDR"], os.environ["MASTER_PORT"]) == ("10.0.0.1", "29500")


@pytest.mark.parametrize("changes", [{"SLURM_STEP_NUM_TASKS": "1"}, {"RANK": "3"}], ids=["one task", "torchrun"])
def test_others_are_left_as_they_are(task, changes):
    task(**changes)
    adopt_slurm()
    assert os.environ.get("RANK") == changes.get("RANK")
    assert "WORLD_SIZE" not in os.environ


def test_nodes_with_different_numbers_of_tasks_are_refused_in_a_line(task, capsys):
    task(SLURM_STEP_TASKS_PER_NODE="2,1")
    with pytest.raises(SystemExit) as ended:
        adopt_slurm()
    assert ended.value.code == 2
    assert capsys.readouterr().err == (
        "error: SLURM: all nodes must have the same number of tasks: --ntasks-per-node\n"
    )
