"""The folder in which a command is typed. It may have configs and packages of its own."""

import sys
import tomllib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import litlab
from litlab.errors import ConfigError, one_line

CONFIGS, SETTINGS = "conf", "pyproject.toml"


def _configs_of_litlab() -> Path:
    """`conf/` of a clone, or `litlab/conf/` of an installed wheel."""
    package = Path(litlab.__file__).resolve().parent
    clone = package.parents[1] / CONFIGS
    return clone if package.parent.name == "src" and clone.is_dir() else package / CONFIGS


CONF = _configs_of_litlab()


@dataclass(frozen=True)
class Project:
    """The user's own folder.

    Args:
        folder: absolute.
    """

    folder: Path

    @classmethod
    def here(cls) -> "Project":
        """The current folder."""
        return cls(Path.cwd())

    @property
    def conf(self) -> Path | None:
        """The folder of the project's own configs; None if it has none."""
        own = self.folder / CONFIGS
        return own if own.is_dir() and own.resolve() != CONF else None

    @property
    def trusted(self) -> list[str]:
        """The packages that `trust` in `[tool.litlab]` of the project's pyproject.toml names.

        Raises:
            ConfigError: if that file cannot be read, or `trust` is no list of names.
        """
        path = self.folder / SETTINGS
        if not path.is_file():
            return []
        try:
            found = tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {}).get("litlab", {}).get("trust", [])
        except (ValueError, OSError) as error:
            raise ConfigError(f"{SETTINGS}: {one_line(error)}") from error
        if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
            raise ConfigError(f'{SETTINGS}: [tool.litlab] trust: must be a list of packages, such as ["mylab"]')
        return found

    def make_importable(self) -> None:
        """Makes what lies in the folder importable, after all that is installed."""
        if str(self.folder) not in sys.path:
            sys.path.append(str(self.folder))

    def make_trusted_importable(self, packages: Collection[str]) -> None:
        """Makes the folder importable if one of these packages is in it, and leaves it alone if not."""
        roots = {name.split(".")[0] for name in packages}
        if any((self.folder / root).is_dir() or (self.folder / f"{root}.py").is_file() for root in roots):
            self.make_importable()
