"""The rooms of the house: who may import whom, how long a file may be, and where private names may stand."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from scripts import REPOSITORY

SRC = REPOSITORY / "src"
PACKAGE = SRC / "litlab"

# From top to bottom. A room imports only rooms below it; those on one line do not import each other.
FLOORS = [
    ["notebook"],
    ["cli"],
    ["worker"],
    ["prediction", "training"],
    ["sweeps"],
    ["report"],
    ["callbacks"],
    ["checkpoint"],
    ["engines"],
    ["modules"],
    ["distributed"],
    ["config"],
    ["runs"],
    ["data", "networks"],
    ["figures", "lightning_internals"],
    ["console", "importing", "openmp"],
    ["arguments", "direction", "machine", "project", "socket_timeout"],
    ["errors"],
    ["files"],
]
HEIGHT = {room: len(FLOORS) - number for number, floor in enumerate(FLOORS) for room in floor}
FILES = sorted(PACKAGE.rglob("*.py"))

LONGER = {"callbacks/diagnosis/rules.py": 400}  # lines; all others have 300 at most

# Rooms that take Hydra's and OmegaConf's objects. All others take plain arguments.
KNOW_HYDRA = {"cli", "config", "notebook", "sweeps"}
NEED_NO_TORCH = ["litlab.cli", "litlab.config", "litlab.project", "litlab.runs", "litlab.sweeps"]

PUBLIC = {"_exit", "_fields", "_target_"}  # documented, for all their underscore: os, namedtuple, Hydra

# Names with a leading underscore that belong to another library, beside those in lightning_internals.py.
PRIVATE = {
    ("data", "_iterator"),  # DataLoader: its workers are watched and ended
    ("data", "_workers"),
    ("data", "_shutdown_workers"),
    ("distributed", "_run_exitfuncs"),  # atexit: called before os._exit
    ("modules", "_foreach_add"),  # torch: one operation for all weights; torch.optim's own steps use them
    ("modules", "_foreach_add_"),
    ("modules", "_foreach_mul"),
    ("modules", "_foreach_mul_"),
    ("modules", "_foreach_sub_"),
    ("modules", "_update_count"),  # torchmetrics: set when two metrics are merged
    ("training", "_dynamo"),  # torch: looked up only where torch.compile has been used
}


def room(path: Path) -> str:
    """`training` of src/litlab/training/run.py, `console` of src/litlab/console.py."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> Iterator[str]:
    """The modules that a file imports, in functions too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                is_module = (SRC / Path(*whole.split("."))).with_suffix(".py").exists()
                is_module |= (SRC / Path(*whole.split("."))).is_dir()
                yield whole if is_module else str(node.module)


def of_litlab(path: Path) -> set[str]:
    return {name for name in imported(path) if name.startswith("litlab.")}


def file_of(module: str) -> Path:
    path = SRC / Path(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def test_every_room_has_a_floor():
    assert {room(path) for path in FILES} - {"__init__"} <= set(HEIGHT)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_imports_only_rooms_below_it(path):
    if path == PACKAGE / "__init__.py":
        assert of_litlab(path) == {"litlab.notebook"}, "for type checkers only"
        return
    wrong = []
    for module in of_litlab(path):
        other = module.split(".")[1]
        if other != room(path) and HEIGHT[other] >= HEIGHT[room(path)]:
            wrong.append(module)
    assert not wrong


def test_no_files_import_each_other_in_a_circle():
    edges = {path: {file_of(module) for module in of_litlab(path)} - {path} for path in FILES}
    for path in FILES:  # a package's __init__ gathers its files, which import each other directly
        if path.name == "__init__.py":
            edges[path] = set()
    done: set[Path] = set()

    def walk(path: Path, above: tuple[Path, ...]) -> None:
        assert path not in above, " -> ".join(str(p.relative_to(PACKAGE)) for p in (*above, path))
        if path not in done:
            for other in edges[path]:
                walk(other, (*above, path))
            done.add(path)

    for path in FILES:
        walk(path, ())


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_has_one_idea_and_is_not_long(path):
    lines = len(path.read_text().splitlines())
    assert lines <= LONGER.get(str(path.relative_to(PACKAGE)), 300)


def test_hydra_is_known_to_few_rooms():
    for path in FILES:
        used = {name.split(".")[0] for name in imported(path)} & {"hydra", "omegaconf"}
        assert not used or room(path) in KNOW_HYDRA, path


def test_what_a_mistyped_command_needs_does_not_import_torch():
    code = f"import sys, {', '.join(NEED_NO_TORCH)}; print([n for n in ('torch', 'lightning') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_config_is_written_by_one_function():
    """`changed`, in config/run.py; config/recorded.py composes the config of a resumed run."""
    writing = []
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            targets = getattr(node, "targets", None) or [getattr(node, "target", None)]
            for target in targets if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign) else ():
                root = target
                while isinstance(root, ast.Attribute | ast.Subscript):
                    root = root.value
                    if isinstance(root, ast.Attribute | ast.Name) and "cfg" in (
                        getattr(root, "attr", ""),
                        getattr(root, "id", ""),
                    ):
                        writing.append(path)
            writes = isinstance(node, ast.Attribute) and node.attr in ("update", "set_readonly", "set_struct")
            if writes and isinstance(node.value, ast.Name) and node.value.id == "OmegaConf":
                writing.append(path)
    assert {str(path.relative_to(PACKAGE)) for path in writing} == {"config/run.py", "config/recorded.py"}


def private_names(path: Path) -> Iterator[str]:
    """Names with one leading underscore that are taken from something that is not litlab's."""
    tree = ast.parse(path.read_text())
    own = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    own |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and is_self(node.value)}
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Attribute) and not is_self(node.value):
            names = [node.attr]
        elif isinstance(node, ast.ImportFrom) and not str(node.module).startswith("litlab"):
            names = [*str(node.module).split("."), *(alias.name for alias in node.names)]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "getattr":
            names = [arg.value for arg in node.args[1:2] if isinstance(arg, ast.Constant)]
        yield from (n for n in names if n.startswith("_") and not n.startswith("__") and n not in own | PUBLIC)


def is_self(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id in ("self", "cls")


def test_private_names_of_others_are_in_one_file_and_a_short_list():
    found = {
        (room(path), name) for path in FILES if path.name != "lightning_internals.py" for name in private_names(path)
    }
    assert found - PRIVATE == set()
