"""Experiments of users whose settings stand in the wrong column."""

import pytest
from hydra.errors import HydraException
from scripts import REPOSITORY

from litlab.cli.keys import Keys
from litlab.cli.recipes import refuse_recipes

CONF = REPOSITORY / "conf"
HEAD = "# @package _global_\ndefaults:\n  - override /data: mnist_sample\n"


def refuse(arguments, folder):
    refuse_recipes(arguments, Keys(CONF, "train", arguments), [folder, CONF])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", " is empty: begin it with `# @package _global_`, and write settings below"),
        ("# @package _global_\n# Only words.\n", " is empty: begin it with"),
        (
            f"{HEAD}trainer:\nmax_epochs: 1\n",
            ", line 4: trainer has no settings: the lines that belong to it begin with two spaces$",
        ),
        (f"{HEAD}optimizer: # Adam\nlr: 1\n", ", line 4: optimizer has no settings"),
        (f"{HEAD}optimizer:\n  lr 0.1\n", ", line 5: write a colon after the name: `lr: 0.1`$"),
        (
            f"{HEAD}trainer.max_epochs: 1\n",
            ", line 4: write `trainer:`, and in the next line, after two spaces, `max_epochs: 1`$",
        ),
    ],
)
@pytest.mark.parametrize("typed", ["experiment=own", "+experiment=own", "experiment=[mnist_cnn,own]"])
def test_the_line_of_the_file_is_named(text, said, typed, tmp_path):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment/own.yaml").write_text(text)
    with pytest.raises(HydraException, match=rf"experiment/own\.yaml{said}"):
        refuse(["seed=1", typed], tmp_path)


@pytest.mark.parametrize("text", [HEAD, f"{HEAD}seed: 1\nname: a b\nmix: null\ncheckpoint:\n  keep: all\n"])
def test_an_experiment_with_its_settings_in_place_is_taken(text, tmp_path):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment/own.yaml").write_text(text)
    refuse(["experiment=own"], tmp_path)
    for recipe in CONF.glob("experiment/*.yaml"):
        refuse([f"experiment={recipe.stem}"], tmp_path)
