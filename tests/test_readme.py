"""What the README tells one to do, done to the letter."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from scripts import REPOSITORY

README = (REPOSITORY / "README.md").read_text()


def section(title: str) -> str:
    return re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", README, re.M | re.S)[1]


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)


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


def test_add_your_own_network(tmp_path):
    out = follow("Add your own network", tmp_path)
    assert "cifar10: 3 x 32 x 32" in out
    assert re.search(r"classifier +Linear +16 +10 +170\b", out)
    assert len(list(tmp_path.glob("runs/*/*/result.json"))) == 1, "a summary leaves no run folder"


def test_add_your_own_data_set(tmp_path):
    out = follow("Add your own data set", tmp_path)
    assert "shapes: 900 / 100 / 200 images" in out
    assert "shapes: 500 / 100 / 200 images" in out
    assert float(re.search(r"test/acc +(\S+)", out)[1]) > 0.95


def test_the_table_of_options_is_true():
    table = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", section("Choose"), re.M))
    for group in ("data", "model", "loss", "optimizer", "scheduler", "trainer", "callbacks", "logger", "experiment"):
        written = set(re.findall(r"`(\w+)`", table[group]))
        there = {path.stem for path in (REPOSITORY / "conf" / group).glob("*.yaml")}
        assert there <= written, f"{group}: {there - written} are missing"


def test_what_the_course_table_says_to_write_composes():
    from test_conf import composed

    table = re.search(r"here you write \|\n\|---\|---\|\n(.*?)\n\n", README, re.S)[1]
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
