"""Config files of a user's own that cannot be read, or that choose options in a wrong way."""

import pytest


@pytest.fixture
def own(project):
    """Writes `conf/GROUP/own.yaml` in a new project."""
    written = []

    def write(group, text):
        written.append(project / "conf" / group / "own.yaml")
        written[-1].write_bytes(text if isinstance(text, bytes) else text.encode())
        return project

    yield write
    for file in written:
        file.unlink()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x:\n\ty: 1\n", ", line 2: a tab; write spaces in its place"),
        ("x: 1\n  y: 1\n", ", line 2: a colon too many; names of one level begin in the same column"),
        ("_target_:x.Y\nbatch_size: 3\n", ", line 1: write a space after the colon"),
        ("x: 1\nx: 2\n", ", line 2: x is there twice; leave one of them out"),
        ("x: 1\ny 2\n", "write `name: value`"),
        ("x: [1\n", ", line 2: expected ',' or ']'"),
        ("defaults: mnist\n", ": defaults must be a list"),
        ("defaults: [3]\n", ": 3 is no entry of defaults"),
        ("defaults:\n  - {a: b, c: d}\n", ": {'a': 'b', 'c': 'd'} is no entry of defaults"),
        ("defaults: [override /data: lines]\n", ": in place of `- override /data: lines` write `- lines`"),
        ("- a\n", ": data: must be a mapping of settings, such as `name: value`, and not a list"),
        ("3\n", ": a config file must be a mapping"),
        (b"x: \xff\n", ": is not written in UTF-8"),
    ],
)
def test_a_config_file_that_cannot_be_read_is_named_in_one_line(own, litlab_here, text, said):
    project = own("data", text)
    done = litlab_here(project, "train", "data=own")
    assert done.status == 2
    assert done.err.startswith("error: conf/data/own.yaml"), done.err
    assert said in done.err
    assert done.err.count("\n") == 1


def test_a_sweep_names_a_file_that_cannot_be_read_before_its_first_job(own, litlab_here):
    project = own("data", "x:\n\ty: 1\n")
    done = litlab_here(project, "train", "-m", "data=lines,own", "trainer.max_epochs=1")
    assert (done.status, done.out) == (2, "")
    assert done.err == "error: conf/data/own.yaml, line 2: a tab; write spaces in its place\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("data: lines", "own.yaml: data: lines chooses no option; write `defaults: [override /data: lines]`"),
        ("callbacks: none", "callbacks: none chooses no option; write `defaults: [override /callbacks: none]`"),
        ("mix: 3", "own.yaml: mix: must be a mapping of settings, such as `name: value`, and not 3"),
        ("checkpoint: last", "checkpoint: must be a mapping of settings, such as `name: value`, and not last"),
        ("data: [lines]", "own.yaml: data: must be a mapping of settings, and not a list"),
        ("defaults: [data: lines]", "in place of `- data: lines` write `- override /data: lines`"),
        ("defaults: [/data: lines]", "in place of `- /data: lines` write `- override /data: lines`"),
        ("defaults: [override data: lines]", "in place of `- override data: lines` write `- override /data: lines`"),
        ("defaults: [lines]", "in place of `- lines` write `- override /data: lines`"),
        ("defaults: [override /data lines]", "write `- override /data: lines`"),
    ],
)
def test_an_option_that_an_experiment_chooses_in_a_wrong_way_is_told_how(own, litlab_here, text, said):
    project = own("experiment", f"# @package _global_\n{text}\n")
    done = litlab_here(project, "train", "experiment=own", "model=tiny")
    assert done.status == 2
    assert done.err.startswith("error: conf/experiment/own.yaml: "), done.err
    assert said in done.err
    assert done.err.count("\n") == 1


def test_an_experiment_without_its_first_line_is_told_so(own, litlab_here):
    project = own("experiment", "defaults: [override /data: lines]\n")
    done = litlab_here(project, "train", "experiment=own")
    assert done.err == "error: conf/experiment/own.yaml: its first line must be `# @package _global_`\n"
