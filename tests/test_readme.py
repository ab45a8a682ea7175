"""What the READMEs say: their commands are typed, their tables compared with the code, their links followed."""

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf
from scripts import REPOSITORY, composed

from litlab import config

CONF = REPOSITORY / "conf"
ROOMS = sorted([*REPOSITORY.glob("src/**/README.md"), *REPOSITORY.glob("tests/**/README.md")])
PAGES = [REPOSITORY / "README.md", *ROOMS, *sorted(REPOSITORY.glob(".github/*.md"))]
TEMPLATE = REPOSITORY / "src/litlab/project/template"  # what `litlab new` writes
README = PAGES[0].read_text()
OWN = ("Add your own network", "Add your own data set")
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))


def section(title: str) -> str:
    return re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", README, re.M | re.S)[1]


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)


# Followed to the letter


def follow(title: str, folder: Path) -> str:
    """Writes the files that a section gives into a copy of litlab, runs its commands there; returns what they print."""
    for name in ("src", "conf", "train.py"):
        source = REPOSITORY / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)
    text = section(title)
    places = re.findall(r"`((?:src|conf)/\S+\.(?:py|yaml))`", text)
    assert len(places) == 2, "one file and one YAML"
    for place, content in zip(places, [*blocks(text, "python"), *blocks(text, "yaml")], strict=True):
        assert not (folder / place).exists()
        (folder / place).write_text(content)
    printed = []
    for command in blocks(text, "sh")[0].splitlines():
        python, *arguments = shlex.split(command)
        assert python == "python"
        environment = {**os.environ, "PYTHONPATH": str(folder / "src"), "COLUMNS": "120"}
        done = subprocess.run([sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        printed.append(done.stdout)
    assert len(printed) == 2
    return "".join(printed)


@pytest.mark.slow
def test_add_your_own_network(tmp_path):
    out = follow(OWN[0], tmp_path)
    assert "cifar10: 3 x 32 x 32" in out
    assert re.search(r"classifier +Linear +16 +10 +170\b", out)
    assert len(list(tmp_path.glob("runs/*/*/result.json"))) == 1, "a summary leaves no run folder"


@pytest.mark.slow
def test_add_your_own_data_set(tmp_path):
    out = follow(OWN[1], tmp_path)
    assert "lines: 900/100/200 images" in out
    assert "lines: 500/100/200 images" in out
    assert float(re.search(r"test/acc +(\S+)", out)[1]) > 0.95


def test_the_notebook_trains(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    [code] = blocks(section("Notebook"), "python")
    offline = re.sub(r"\bMNIST\b", "MNISTSample", code)
    names: dict = {}
    exec(offline, names)
    assert names["MNISTSample"].__module__.startswith("litlab.data")
    assert list(tmp_path.glob("lightning_logs/*/checkpoints/*.ckpt"))


# Commands


def commands(page: Path) -> Iterator[tuple[str, list[str]]]:
    """The script and the arguments of each `python train.py` and `python predict.py` on a page.

    Left out are mistakes, and what belongs to a network or a data set that the reader adds: other tests type those.
    """
    text = page.read_text()
    for title in OWN if page == PAGES[0] else ():
        text = text.replace(section(title), "")
    for line in text.splitlines():
        if line.lstrip().startswith("$ "):
            continue
        for script, rest in re.findall(r"(?:python|torchrun[^`]*) (train|predict)\.py([^`]*)", line):
            if {"-sc", "--config-dir"} & set(rest.split()):  # a script for the shell; a folder of the reader's own
                continue
            words = shlex.split(rest, comments=True)
            yield script, words[: words.index("|")] if "|" in words else words


def one_job(arguments: list[str]) -> Iterator[str]:
    """The overrides among the arguments, with the first value of what is swept."""
    overrides = [word for word in arguments if "=" in word]
    if "hydra/launcher=ray" in overrides and not importlib.util.find_spec("hydra_plugins.hydra_ray_launcher"):
        overrides.remove("hydra/launcher=ray")
    for override in OverridesParser.create().parse_overrides(overrides):
        if not override.is_sweep_override():
            yield override.input_line
        elif override.is_interval_sweep():
            yield f"{override.get_key_element()}={override.value().start}"
        else:
            yield f"{override.get_key_element()}={next(override.sweep_string_iterator())}"


@pytest.mark.filterwarnings(r"ignore:\n.* is validated against ConfigStore schema")  # as in the scripts
@pytest.mark.parametrize("page", [PAGES[0], *(pytest.param(page, marks=pytest.mark.slow) for page in PAGES[1:])])
def test_every_command_composes(page):
    for script, arguments in commands(page):
        cfg = composed(*one_job(arguments), script=script)
        if script == "train":
            config.check(cfg)


def test_commands_are_found():
    found = [script for page in PAGES for script, _ in commands(page)]
    assert found.count("train") > 60
    assert found.count("predict") > 15


def mistakes() -> set[tuple[str, str]]:
    """The arguments of each wrong command on a page, and the line that is printed below it."""
    text = "\n".join(page.read_text() for page in PAGES)
    return set(re.findall(r"^ +\$ python train\.py (.*)\n +(error: .*)", text, re.M))


@pytest.mark.parametrize(("arguments", "said"), sorted(mistakes()))
def test_a_mistake_is_answered_as_printed(train_here, arguments, said):
    done = train_here(*shlex.split(arguments))
    assert (done.status, done.err) == (2, f"{said}\n")


@each_page
def test_what_commands_and_text_name_is_there(page):
    text = page.read_text()
    named = re.findall(r"(?:python|pytest)(?: -\S+| \d+| slow| browser)* (tests/[\w/.]+)", text)
    named += re.findall(r"`((?:src|conf|tests)/[\w/.]+)`", text)
    new = {"src/litlab/networks/tiny.py", "conf/model/tiny.yaml", "src/litlab/data/lines.py", "conf/data/lines.yaml"}
    new |= set(re.findall(r"^`(\S+)`:$", text, re.M))  # the place of the file below
    known = [name for name in named if (REPOSITORY / name).exists() or (TEMPLATE / f"{name}.template").exists()]
    assert set(named) - new - set(known) == set()


# Settings


def keys(node: DictConfig, prefix: str) -> Iterator[str]:
    for key in node:
        yield f"{prefix}{key}"
        if isinstance(child := node._get_node(key), DictConfig):
            yield from keys(child, f"{prefix}{key}.")


def known_settings() -> set[str]:
    """Every key that an option of a group or one of the two scripts has."""
    found: set[str] = set()
    for file in CONF.rglob("*.yaml"):
        parts = () if file.parent.name in ("experiment", "debug") else file.parent.relative_to(CONF).parts
        found |= set(keys(OmegaConf.load(file), "".join(f"{part}." for part in parts)))
    return found


@each_page
def test_every_setting_in_the_text_exists(page):
    known, groups = known_settings(), {folder.name for folder in CONF.iterdir() if folder.is_dir()} - {"hydra"}
    for word in (word for code in re.findall(r"`([^`\n]+)`", page.read_text()) for word in code.split()):
        dotted = re.fullmatch(r"'?((\w+)(?:\.[a-z_0-9]+)+)(?:=.*)?", word)
        if dotted and dotted[2] in groups and dotted[1] != "metrics.csv":  # a file
            assert dotted[1] in known, word
        option = re.fullmatch(r"([a-z_/]+)=([a-z_0-9]+)", word)
        if option and option[1] in {*groups, "hydra/sweeper"}:
            file = f"{option[1]}/{option[2]}.yaml"
            assert (CONF / file).exists() or (TEMPLATE / f"conf/{file}.template").exists(), word


def test_the_table_of_options_is_true():
    table = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", section("Choose"), re.M))
    groups = (
        "data",
        "model",
        "loss",
        "optimizer",
        "scheduler",
        "metrics",
        "trainer",
        "callbacks",
        "logger",
        "experiment",
        "debug",
    )
    for group in groups:
        written = set(re.findall(r"`(\w+)`", table[group]))
        there = {path.stem for path in (CONF / group).glob("*.yaml")}
        assert there <= written, f"{group}: {there - written} are missing"


def test_what_the_course_table_says_to_write_composes():
    page = (REPOSITORY / "src/litlab/networks/README.md").read_text()
    table = re.search(r"here you write \|\n\|---\|---\|\n(.*?)\n\n", page, re.S)[1]
    rows = [row.strip("|").split(" | ")[1] for row in table.splitlines()]
    assert len(rows) == 11
    settings = [re.findall(r"`([^`]*=[^`]*)`", row) for row in rows]
    assert sum(map(len, settings)) >= 12
    for text in (text for row in settings for text in row):
        words = [word for word in shlex.split(text) if "=" in word]
        if "predict.py" in text:
            continue
        if any(word.startswith("data.transforms=") for word in words):
            words.insert(0, "data=image_folder")
        cfg = composed(*words)
        for word in words:
            key, value = word.split("=", 1)
            found = cfg
            for part in key.split("."):
                found = found[part]
            if "." in key and not value.startswith("["):
                assert str(found).lower() == value.lower()


# Pages


def headings(page: Path) -> set[str]:
    """The anchors of a page, as GitHub makes them."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S)
    titles = re.findall(r"^#+ (.*)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@each_page
def test_every_link_leads_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in headings(target), link


def test_the_readme_leads_to_every_page():
    linked = {(REPOSITORY / link.partition("#")[0]).resolve() for link in re.findall(r"\]\(([^)\s:]+)\)", README)}
    assert [page for page in PAGES[1:] if page not in linked] == []


def test_the_readme_is_short():
    assert 8 * 1024 <= len(README.encode()) <= 12 * 1024


def test_what_ci_types_is_in_the_readme():
    lines = [line.split("#")[0].strip() for line in README.splitlines()]
    assert "pip install -e . && python train.py" in lines
    assert 'pip install -e ".[dev]" && pytest' in lines
