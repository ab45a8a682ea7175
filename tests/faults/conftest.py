"""Prints at the end what became of all the faults, also of those that other processes of pytest have caused."""

from collections import Counter

import pytest
from faults.harness import TABLE


def pytest_sessionfinish(session):
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["faults"] = {fault: list(seen.items()) for fault, seen in TABLE.items()}


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    for fault, seen in getattr(node, "workeroutput", {}).get("faults", {}).items():
        TABLE.setdefault(fault, Counter()).update(dict(seen))


def pytest_terminal_summary(terminalreporter):
    if TABLE:
        terminalreporter.line(f"\n{'fault':51} {'times':>6} {'survived':>9} {'lost':>5}")
    for fault, seen in sorted(TABLE.items()):
        terminalreporter.line(f"{fault:51} {seen.total():6} {seen[True]:9} {seen[False]:5}")
