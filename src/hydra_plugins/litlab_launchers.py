"""The launcher `joblib` with litlab's settings, where Hydra finds it. Without joblib's own plugin there is none."""

import contextlib
from dataclasses import asdict

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from hydra.plugins.search_path_plugin import SearchPathPlugin

with contextlib.suppress(ImportError):
    from hydra_plugins.hydra_joblib_launcher.config import JobLibLauncherConf

    from litlab.sweeps import joblib

    class JoblibLauncher(joblib.JoblibLauncher):
        """`hydra/launcher=joblib`"""

    class JoblibSettings(SearchPathPlugin):
        """Puts litlab's settings of the launcher in the place of the plugin's own.

        Hydra calls this when it has loaded all plugins, and before it composes a config.
        """

        def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
            own = {"_target_": "hydra_plugins.litlab_launchers.JoblibLauncher", "n_jobs": -1, "mps": "auto"}
            node = asdict(JobLibLauncherConf()) | own
            ConfigStore.instance().store(group="hydra/launcher", name="joblib", node=node, provider="litlab")
