import pytest
from scripts import composed

from litlab import config
from litlab.errors import ConfigError


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model.head=add", "model.head=add: must be one of replace, append"),
        ("model.freeze=all", "model.freeze=all: must be one of backbone or null"),
        ("model.pretrained=1", "model.pretrained=1: must be true or false"),
        ("+model.depth=9", "model.depth is unknown"),
        ("+experiment.trainer.max_epochs=1", "experiment: the first line of .* must be `# @package _global_`$"),
        ("+colour=1", "colour is unknown; there is: (?!.*rewinds)"),
        ("+data.colour=9", "data.colour is unknown to litlab.data.CIFAR10; there is: .*batch_size.*data_dir"),
        ("data=image_folder", "data.data_dir is missing: write data.data_dir=FOLDER"),
        ("data=csv", "data.file is missing: write data.file=FILE"),
        ("data.batch_size=x", "data.batch_size=x: must be an integer"),
        ("seed='${sed}'", r"seed: \$\{sed\} refers to no setting"),
        ("model.head='${modle.x}'", r"model.head: \$\{modle.x\} refers to no setting"),
        ("seed='${hydra.job.num}'", r"seed: in place of \$\{hydra.job.num\} write \$\{hydra:job.num\}"),
        ("model.head='${env:A}'", r"model.head: \$\{env:...\} has a name before the colon that there is not, and"),
        ("seed=true", "seed=true: must be an integer"),
        ("threads=0", "threads=0: must be at least 1"),
        ("threads=abc", "threads=abc: must be an integer or null"),
        ("objective=null", "objective=null: must be text"),
        ("checkpoint.every_n_steps=abc", "checkpoint.every_n_steps=abc: must be an integer or null"),
        ("checkpoint.keep=some", "checkpoint.keep=some: must be one of last, all or an integer"),
        ("checkpoint.keep=0", "checkpoint.keep=0: must be at least 1"),
        ("checkpoint.every_minutes=abc", "checkpoint.every_minutes=abc: must be a number or null"),
        ("preempt_grace_s=abc", "preempt_grace_s=abc: must be a number"),
        ("+trainer.min_epochs=50", "trainer.min_epochs=50: must be at most trainer.max_epochs=5"),
        ("test=maybe", "test=maybe: must be true or false"),
        ("top5=maybe", "top5=maybe: must be true or false"),
        ("summary=maybe", "summary=maybe: must be true or false"),
        ("+rewinds=abc", "rewinds=abc: must be an integer"),
        ("~trainer", "trainer is missing: write trainer=..."),
        ("callbacks.report.enabled=off", "callbacks.report.enabled=off: must be true or false"),
        ("callbacks.progress.enabled=maybe", "callbacks.progress.enabled=maybe: must be true or false"),
        (
            "callbacks.report=false",
            "callbacks.report=false: must be a mapping; callbacks.report.enabled=false switches",
        ),
        (
            "callbacks.early_stopping=true",
            "=true: must be a mapping; callbacks.early_stopping.enabled=true switches it on$",
        ),
        ("trainer.max_time=10", "trainer.max_time=10: must be DD:HH:MM:SS, such as 00:00:30:00"),
        ("swa=1", "swa=1: must be greater than 0 and less than 1$"),
        ("ema=1.0", "ema=1.0: must be greater than 0 and less than 1$"),
        ("+callbacks.report.colour=1", "callbacks.report.colour is unknown; there is: enabled, in_sweeps"),
        ("+callbacks.mine.enabled=true", "callbacks.mine has no _target_, the class to build: nothing would read it"),
        ("callbacks.pictures.count=many", "callbacks.pictures.count=many: must be an integer"),
        ("+callbacks.pictures.counts=3", "callbacks.pictures.counts is unknown to .*Pictures; did you mean count"),
        ("callbacks.early_stopping.patience=-1", "callbacks.early_stopping.patience=-1: must be at least 0"),
        ("callbacks.pictures.count=0", "callbacks.pictures.count=0: must be at least 1"),
        ("callbacks.most_wrong.count=-1", "callbacks.most_wrong.count=-1: must be at least 1"),
        ("callbacks.projector.side=0", "callbacks.projector.side=0: must be at least 1"),
        ("callbacks.histograms.every_n_epochs=0", "callbacks.histograms.every_n_epochs=0: must be at least 1"),
        ("callbacks.model_summary.max_depth=-7", "callbacks.model_summary.max_depth=-7: must be at least 1"),
        ("callbacks.early_stopping.mode=up", "callbacks.early_stopping.mode=up: must be min, max or null"),
        ("+logger.csvv.save_dir=null", "logger.csvv has no _target_, the class to build: nothing would read it"),
        ("+logger.tensorboard.naem=a", "logger.tensorboard.naem is unknown to .*; there is: .*save_dir"),
        ("+lr=0.1", "^lr is unknown; did you mean optimizer.lr?"),
        ("+seeed=3", "^seeed is unknown; did you mean seed?"),
        ("+checkpoint.every_n_step=3", "^checkpoint.every_n_step is unknown; did you mean every_n_steps?"),
        ("trainer.gradient_clip_val=-1", "trainer.gradient_clip_val=-1: must be at least 0"),
        ("trainer.max_epochs=null", "trainer.max_epochs=null: the training has no end; set that, trainer.max_steps"),
        ("trainer.max_time=00:00:01", "trainer.max_time=00:00:01: must be DD:HH:MM:SS, such as 00:00:30:00"),
        ("+trainer.limit_predict_batches=3", "trainer.limit_predict_batches: litlab sets it itself; leave it out"),
        ("optimizer.lr=1e400", "optimizer.lr=inf: must be a finite number"),
        ("optimizer.lr=nan", "optimizer.lr=nan: must be a finite number"),
        ("trainer.gradient_clip_val=nan", "trainer.gradient_clip_val=nan: must be a finite number"),
        ("optimizer.betas=[0.9,inf]", r"optimizer.betas=\[0.9, inf\]: must be a finite number"),
        ("+trainer.profiler=simple", "trainer.profiler: litlab sets it itself; debug=profile shows where"),
        ("+trainer.enable_checkpointing=true", "trainer.enable_checkpointing: .*write callbacks.checkpoints.enabled"),
    ],
)
def test_keys_are_checked_against_the_signatures(override, message):
    with pytest.raises(ConfigError, match=message):
        config.check(composed("model=resnet18", "data=cifar10", override))


def test_a_name_may_look_like_a_number():
    config.check(composed("name=nan"))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["scheduler=step", "scheduler.gamma=-1"], "scheduler.gamma=-1: must be greater than 0"),
        (["scheduler=plateau", "scheduler.patience=-1"], "scheduler.patience=-1: must be at least 0"),
        (["scheduler=plateau", "scheduler.mode=lower"], "scheduler.mode=lower: must be min, max or null"),
    ],
)
def test_a_schedule_with_impossible_values_is_refused(overrides, message):
    with pytest.raises(ConfigError, match=f"^{message}$"):
        config.check(composed(*overrides))


def test_only_one_thing_is_done_in_place_of_training():
    config.check(composed("lr_find=true"))
    with pytest.raises(
        ConfigError, match="^summary=true and lr_find=true: there can be one only; leave the other out$"
    ):
        config.check(composed("summary=true", "lr_find=true"))


@pytest.mark.parametrize("logger", ["default", "csv", "tensorboard", "wandb", "mlflow", "none"])
def test_every_logger_passes(logger):
    config.check(composed(f"logger={logger}"))
    config.check(composed("logger.csv=null"))


def test_settings_of_checkpoints_need_checkpoints():
    message = "^checkpoint.keep=3: callbacks.checkpoints.enabled=false writes no checkpoints$"
    with pytest.raises(ConfigError, match=message):
        config.check(composed("callbacks.checkpoints.enabled=false", "checkpoint.keep=3"))
    config.check(composed("callbacks.checkpoints.enabled=false"))


def test_a_class_that_is_typed_alone_says_where_to_write_it():
    typed = "loss._target_=torch.nn.MultiMarginLoss"
    message = (
        "^loss._target_=torch.nn.MultiMarginLoss does not take label_smoothing, class_weights, which loss=OPTION has: "
        "write a file conf/loss/NAME.yaml with its _target_ and its own settings, and loss=NAME$"
    )
    with pytest.raises(ConfigError, match=message):
        config.check(composed(typed), [typed])
    wrong = [typed, "+loss.gamma=2"]
    with pytest.raises(ConfigError, match="does not take label_smoothing, class_weights, which"):
        config.check(composed(*wrong), wrong)
    fitting = ["loss=nll", "loss._target_=litlab.modules.CrossEntropy", "+loss.label_smoothing=0.1"]
    config.check(composed(*fitting), fitting)


def test_a_setting_of_a_newer_version_may_be_missing():
    """Run folders of earlier versions go on, although their config lacks what came later."""
    config.check(composed("model=mlp", "~preempt_grace_s", "~top5", "~checkpoint"))


def test_a_key_of_the_user_that_other_settings_refer_to_is_no_mistake():
    config.check(composed("model=mlp", "+width=32", "model.hidden=[${width}]"))
    config.check(composed("model=mlp", "+sizes.last=8", "model.hidden=[${sizes.last}]"))


def test_a_callback_that_is_switched_off_may_be_incomplete():
    config.check(composed("model=mlp", "+callbacks.mine={_target_: nowhere.Mine, enabled: false}"))


def test_a_value_that_cannot_be_resolved_is_one_line():
    with pytest.raises(ConfigError, match="nowhere") as caught:
        config.check(composed("optimizer.lr=${nowhere}"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("adm", "did you mean adam? there is: adam, sgd"),
        ("zzz", "there is: adam, sgd"),
    ],
)
def test_a_suggestion_is_something_close_and_all_there_is(name, text):
    assert config.suggest(name, ["sgd", "adam", "_target_"]) == text
