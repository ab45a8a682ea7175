"""Adds the configs of the user's own folder to Hydra's search path, while a command of litlab runs."""

from hydra.core.config_search_path import ConfigSearchPath
from hydra.plugins.search_path_plugin import SearchPathPlugin

from litlab.project import searched


class OwnConfigs(SearchPathPlugin):
    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        folders = searched()
        if folders.before:
            search_path.prepend("own", f"file://{folders.before}", anchor="main")
        for folder in folders.after:
            search_path.append("own", f"file://{folder}")
