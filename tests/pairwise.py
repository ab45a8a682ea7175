"""Pairwise tests: few runs in which each two values of two groups meet, and what each of them must do."""

import itertools
import json
import random
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

import pytest
from faults.compare import differences
from recorded_runs import WITHOUT_FAULT, record_run, stop_at, train_recorded

from litlab.errors import RunFailed

TRIES = 100  # for each run
MUON = "optimizer=muon optimizer.lr=0.01 optimizer.head_factor=1 optimizer.bias_factor=1"


def runs_with_every_pair(
    choices: Mapping[str, Sequence[str]], refused: Sequence[tuple[str, Sequence[str]]]
) -> list[dict[str, str]]:
    """A value of each group for each run. Each next run has the most new pairs of many tries.

    Args:
        choices: the values of each group.
        refused: values, each with those that cannot be in one run with it.
    """

    apart: dict[str, set[str]] = {}  # for each value, those that cannot be in one run with it
    for one, others in refused:
        for other in others:
            apart.setdefault(one, set()).add(other)
            apart.setdefault(other, set()).add(one)

    def fits(value: str, values: Collection[str]) -> bool:
        return value not in apart or apart[value].isdisjoint(values)

    members = [(group, value) for group, values in choices.items() for value in values]
    bit = {member: 1 << number for number, member in enumerate(members)}
    left = dict.fromkeys(members, 0)  # for each value, the bits of those that it has yet to meet
    for one, other in itertools.permutations(members, 2):
        if one[0] != other[0] and fits(one[1], [other[1]]):
            left[one] |= bit[other]

    def new_pairs(run: Mapping[str, str]) -> int:
        together = sum(bit[member] for member in run.items())
        return sum((left[member] & together).bit_count() for member in run.items())

    draw, runs = random.Random(0), []

    def filled(run: dict[str, str]) -> dict[str, str]:
        for group in draw.sample(list(choices), len(choices)):
            if group not in run:
                run[group] = draw.choice([value for value in choices[group] if fits(value, run.values())])
        return run

    while lonely := next((member for member in members if left[member]), None):
        partner = next(member for member in members if left[lonely] & bit[member])
        best = max((filled(dict([lonely, partner])) for _ in range(TRIES)), key=new_pairs)
        together = sum(bit[member] for member in best.items())
        for member in best.items():
            left[member] &= ~together
        runs.append(best)
    return runs


def typed(run: Mapping[str, str]) -> list[str]:
    """The settings of a run as they are typed. `-` is what litlab does by itself."""
    return [setting for value in run.values() if value != "-" for setting in value.split(" ")]


def check_run(folder: Path, settings: Sequence[str], base: Sequence[str], stop: int, use: Callable) -> None:
    """Trains a run, and the same one stopped and resumed, compares them bit for bit, and measures the result again.

    Args:
        stop: the step at which the second one is stopped.
        use: `predict.py`.
    """
    # Lightning counts a validation twice that was stopped before its end. After the last batch of an epoch, a loader
    # may have given all batches or none: both mean that it begins anew.
    counters = r"val_loop\.batch_progress/total|/loops/fit_loop/state_dict/combined_loader/0/given \(0 and \d+\)"
    whole, stopped = folder / "whole", folder / "stopped"
    record_run(whole, *settings, base=base)
    train_recorded(whole)
    record_run(stopped, *settings, stop_at(stop), base=base)
    with pytest.raises(RunFailed, match="stopped by SIGTERM"):
        train_recorded(stopped)
    train_recorded(stopped, WITHOUT_FAULT)
    found = differences(stopped, whole)
    assert [line for line in found if not re.search(counters, line)] == []
    use(f"ckpt={whole}", "evaluate=val")
    measured = json.loads((folder / "evaluation/evaluation.json").read_text())["metrics"]
    objective = json.loads((whole / "result.json").read_text())["objective"]
    assert measured[objective["name"]] == objective["value"]
