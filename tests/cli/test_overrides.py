from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import OmegaConf
from pictures import draw_folder
from scripts import REPOSITORY

from litlab.cli import literal
from litlab.cli.keys import Keys, is_multirun
from litlab.cli.overrides import (
    ALONE,
    LONG,
    SHORT,
    check_options,
    check_words_of_options,
    letters_of_all_languages,
    options_first,
    refuse_null,
    refuse_several,
    refuse_without,
)

KEYS = Keys(REPOSITORY / "conf", "train")


@pytest.mark.parametrize(
    "value", ["a.png", "x (1).png", "a,b", "a=b", "it's", 'say "hi"', "a\\'b", "back\\", "${HOME}", "~/x", "1.5", "a#b"]
)
def test_a_path_survives_hydra(value):
    override = OverridesParser.create().parse_override(literal(f"input={value}", "predict"))
    assert OmegaConf.create({"input": override.value()}).input == value


@pytest.mark.parametrize(
    "argument", ["input=[a,b]", "input='a b'", "input=null", "input=", "other=a,b", "evaluate=test"]
)
def test_what_is_written_for_hydra_stays(argument):
    assert literal(argument, "predict") == argument


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("name=größe_猫", "größe_猫"),
        ("input=[ä.png,b.png, 猫 狗.png]", ["ä.png", "b.png", "猫 狗.png"]),
        ("x={name: é, b: [ö, 1]}", {"name": "é", "b": ["ö", 1]}),
        ("name='größe x'", "größe x"),
        ("name=ä\\", "ä\\"),
        ("name=plain", "plain"),
    ],
)
def test_letters_of_all_languages_need_no_quotes(argument, value):
    assert OverridesParser.create().parse_override(letters_of_all_languages(argument)).value() == value


def test_values_of_a_sweep_may_have_letters_of_all_languages():
    swept = OverridesParser.create().parse_override(letters_of_all_languages("name=é,a,猫")).value()
    assert [str(choice.text if hasattr(choice, "text") else choice) for choice in swept.list] == ["é", "a", "猫"]


@pytest.mark.slow
def test_a_folder_is_taken_as_typed_but_for_a_sweep(train_here, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    names = ["My Pictures (2)", "~/pictures", "a=b", "Katzen, Hunde", "2024"]
    quick = ["data=image_folder", "model=mlp", "summary=true"]
    for name in names:
        draw_folder(Path(name.replace("~", str(tmp_path))) if "~" in name else tmp_path / name, count=2)
        done = train_here(*quick, f"data.data_dir={name}")
        assert (done.status, done.err) == (0, ""), name
    done = train_here("-m", *quick, "data.data_dir=pictures,./pictures")
    assert done.out.count("image_folder: 3 x 224 x 224") == 2, done.err
    wrong = train_here(*quick, "data.data_dir=(no, such) folder")
    assert (wrong.status, wrong.err) == (2, "error: data.data_dir (no, such) folder: no such folder\n")


def test_the_options_of_hydra_are_all_known():
    """Its parser has no public name, so the list is compared with it here."""
    from hydra._internal.utils import get_args_parser

    actions = get_args_parser()._actions
    own = [option for action in actions for option in action.option_strings]
    assert sorted(own) == sorted([*LONG, *SHORT])
    assert sorted(ALONE) == sorted(
        option for action in actions if action.nargs == 0 for option in action.option_strings
    )
    check_options(
        [*own, *(f"{option}=x" for option in {*own} - {*ALONE}), "-cjob", "--multi", "a=-1", "~b", "+c=--x"], KEYS
    )


@pytest.mark.parametrize("argument", ["-h=1", "--help=data", "--multirun=true"])
def test_an_option_that_takes_no_word_is_refused_with_one(argument):
    with pytest.raises(HydraException, match=rf"^{argument}: write {argument.split('=')[0]}, and nothing behind it$"):
        check_options(["model=mlp", argument], KEYS)


@pytest.mark.parametrize("option", ["--nonsense", "-x", "--cfgg=job", "---m"])
def test_an_unknown_option_is_refused_with_what_there_is(option):
    with pytest.raises(HydraException, match=r"^\S+: no such option; .*there is: --cfg, .*--version$") as caught:
        check_options(["model=mlp", option], KEYS)
    assert str(caught.value).startswith(option.split("=")[0])


def test_a_sweep_is_known_by_its_option_wherever_it_stands():
    assert is_multirun(["a=1", "-m"])
    assert is_multirun(["--multirun"])
    assert is_multirun(["hydra.mode=MULTIRUN"])
    assert not is_multirun(["a=-m"])


def test_options_and_their_words_may_stand_between_settings():
    typed = ["a=1", "--cfg", "job", "-m", "b=2", "--config-dir", "mine", "c=3", "-cn=x", "--info"]
    first = ["--cfg", "job", "-m", "--config-dir", "mine", "-cn=x", "--info"]
    assert options_first(typed) == [*first, "a=1", "b=2", "c=3"]


@pytest.mark.parametrize(
    ("typed", "sweep"),
    [
        ("seed=1:5", "these two are written seed=1,5, the numbers between 'seed=range(1,6)'"),
        ("optimizer.lr=[0.1,0.2]", "several values are written optimizer.lr=0.1,0.2"),
    ],
)
def test_several_values_for_one_run_are_refused_with_the_sweep(typed, sweep):
    with pytest.raises(HydraException) as caught:
        refuse_several(["data=mnist", typed])
    assert str(caught.value) == f"{typed}: one run takes one value; add -m for a sweep; {sweep}"


def test_one_value_for_one_run_is_not_refused():
    refuse_several(
        ["optimizer.betas=[0.9,0.99]", "optimizer.lr=1e-3", "seed=-1", "data.dir=1:2", "trainer.devices=[0,1]"]
    )


def test_no_option_of_a_group_is_called_null():
    refuse_null(["resume=null", "data.data_dir=null"], [REPOSITORY / "conf"])
    with pytest.raises(HydraException, match="^trainer=null: no such option; there is: auto, cpu, ddp"):
        refuse_null(["model=mlp", "trainer=null"], [REPOSITORY / "conf"])


@pytest.mark.parametrize("group", ["data", "experiment", "debug", "scheduler"])
def test_a_group_without_its_option_is_refused(group):
    refuse_null(["name=", "data.data_dir=", "~scheduler", "seed="], [REPOSITORY / "conf"])
    with pytest.raises(HydraException, match=f"^{group}=: the option is missing; there is: "):
        refuse_null(["model=mlp", f"{group}="], [REPOSITORY / "conf"])


@pytest.mark.parametrize("group", ["data", "model", "loss", "optimizer", "trainer"])
def test_a_group_that_every_run_needs_cannot_be_left_out(group):
    refuse_without(["~scheduler", "~mix", "~task", "~callbacks", "data=mnist", "~data.seed"], KEYS)
    for argument in (f"~{group}", f"~{group}=any"):
        with pytest.raises(HydraException, match=f"^{argument}: a run needs {group}=OPTION; there is: "):
            refuse_without([argument], KEYS)


@pytest.mark.parametrize("argument", ["debug=nan", "model=3", "data=1.5", "data=true", "trainer=-inf", "mix=1e3"])
def test_a_number_or_a_truth_value_is_no_option_of_a_group(argument):
    with pytest.raises(HydraException, match=f"^{argument}: no such option; "):
        refuse_null([argument], [REPOSITORY / "conf"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--cfg", "jobs"], "--cfg jobs: must be followed by one of job, hydra, all"),
        (["--cfg=jobs"], "--cfg jobs: must be followed by one of job, hydra, all"),
        (["-c"], "-c: must be followed by one of job, hydra, all"),
        (["seed=1", "--config-name"], "--config-name: must be followed by a word"),
    ],
)
def test_the_word_of_an_option_is_checked(arguments, message):
    with pytest.raises(HydraException) as caught:
        check_words_of_options(arguments)
    assert str(caught.value) == message
    check_words_of_options(["--cfg", "job", "--config-dir", "mine", "-m", "--info"])
