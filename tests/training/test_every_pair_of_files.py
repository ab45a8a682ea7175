"""Settings of data from files go together, as in `test_every_pair`: each pair is in a run that trains, resumes and is
measured again. The tasks are classes, several labels, and landmarks."""

import pytest
from pairwise import MUON, check_run, runs_with_every_pair, typed
from pictures import draw_folder, draw_labels, draw_landmarks

pytestmark = pytest.mark.slow

SMALL = [
    *("data.image_size=16", "data.batch_size=8", "trainer=cpu", "trainer.max_epochs=2", "test=false"),
    *("trainer.log_every_n_steps=2", "callbacks.model_summary.enabled=false", "callbacks.report.enabled=false"),
    "logger=csv",
]
COUNT = 60  # pictures
STOP = 4  # steps

CLASSES, SEVERAL, POINTS = "data=image_folder", "data=csv loss=bce_with_logits", "data=landmarks loss=mse"
TASKS = [CLASSES, SEVERAL, POINTS]
MOVES = ["data.augment=[rand_augment]", "data.augment=[random_crop,color_jitter]"]

CHOICES = {
    "task": TASKS,
    "network": ["model=mlp model.hidden=[8]", "model=mnist_cnn", "model=vit model.depth=1 model.width=12"],
    "cached": ["data.cache=auto", "data.cache=none", "data.cache=memory", "data.cache=disk"],
    "loaded": [
        "data.num_workers=0",
        "data.num_workers=2",
        "data.num_workers=1 data.persistent_workers=false data.prefetch_factor=1",
    ],
    "resized": ["-", "data.resizer=pillow", "data.center_crop=false", "data.random_crop=true data.resize=20"],
    "coloured": ["-", "data.grayscale=true"],
    "normalized": ["-", "data.normalize=false"],
    "transformed": ["-", "data.transforms=[{name:RandomRotation,degrees:10}]", *MOVES, "data.augment=[cutout]"],
    "drawn": ["-", "data.balanced=true", "data.shuffle=false", "data.drop_last=true", "data.train_limit=41"],
    "split": ["data.val_size=0.2", "data.val_size=10 data.test_size=0.1", "data.folds=4 data.fold=1"],
    "broken": ["-", "data.max_bad_fraction=0.2"],
    "optimizer": ["-", "optimizer=sgd optimizer.momentum=0.9", "ema=0.9", MUON],
    "precision": ["-", "trainer.precision=bf16-mixed", "trainer.precision=bf16-true", "trainer.precision=64-true"],
    "step": [
        "-",
        "engine=blocks",
        "trainer.accumulate_grad_batches=2",
        "engine=blocks trainer.accumulate_grad_batches=2",
    ],
    "kept": ["-", "checkpoint.every_n_steps=3", "trainer.val_check_interval=0.5", "checkpoint.keep=1"],
    "seed": ["-", "seed=3"],
}

VARYING = ["data.random_crop=true data.resize=20", "data.transforms=[{name:RandomRotation,degrees:10}]"]

# Pairs that are refused, each in a line of its own test.
REFUSED = [
    (POINTS, [*MOVES, CHOICES["transformed"][1], "data.balanced=true", *CHOICES["resized"][2:]]),
    (SEVERAL, ["data.balanced=true"]),
    ("ema=0.9", ["trainer.precision=bf16-true", "trainer.precision=64-true"]),
    *((cache, VARYING) for cache in ("data.cache=memory", "data.cache=disk")),
]

RUNS = runs_with_every_pair(CHOICES, REFUSED)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """For each task and for whether a picture is broken, the settings that name its data."""

    def drawn(broken: bool) -> dict[str, list[str]]:
        folder = tmp_path_factory.mktemp("data")
        rows = "".join(f"{n}.png,{('red', 'green;blue', '', 'red;blue')[n % 4]}\n" for n in range(COUNT))
        classes = draw_folder(folder / "classes", COUNT // 3, ("blue", "red", "grey"))
        labels, points = draw_labels(folder / "labels", f"file,label\n{rows}"), draw_landmarks(folder / "faces", COUNT)
        if broken:
            for file in (classes / "red/003.jpg", folder / "labels/7.png", folder / "faces/011.png"):
                file.write_bytes(file.read_bytes()[:60])
        return {
            CLASSES: [f"data.data_dir={classes}"],
            SEVERAL: [f"data.file={labels}", "objective=val/map"],
            POINTS: [f"data.annotations={points}", "objective=val/mse"],
        }

    return {broken: drawn(broken) for broken in (False, True)}


@pytest.mark.parametrize("number", range(len(RUNS)))
def test_each_two_settings_of_files_go_together(tmp_path, use, data, number):
    run = RUNS[number]
    settings = [*typed(run), *data[run["broken"] != "-"][run["task"]]]
    check_run(tmp_path, settings, SMALL, STOP, use)
