import os

import pytest

from litlab import machine


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system does not bind processes to cores")
def test_cores_are_those_that_this_process_may_use():
    allowed = os.sched_getaffinity(0)
    assert machine.cores() == len(allowed)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert machine.cores() == 1
    finally:
        os.sched_setaffinity(0, allowed)


def test_cores_where_processes_are_not_bound(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    assert machine.cores() == 7
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert machine.cores() == 1


def test_a_container_may_have_a_share_of_the_cores(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "GROUP", tmp_path)
    bound = machine.cores()
    for limit, expected in (
        ("max 100000", bound),
        ("100000 100000", 1),
        ("50000 100000", 1),
        ("9900000 100000", bound),
    ):
        (tmp_path / "cpu.max").write_text(f"{limit}\n")
        assert machine.cores() == expected


def test_free_memory_is_less_than_the_machine_has():
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert 0 < machine.free_memory() < pages
