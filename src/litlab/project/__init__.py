"""The user's own folder: its configs and its packages, which extend those of litlab. Needs no torch.

folder              finds the configs of litlab and of the current folder, and makes its packages importable
search_path         tells Hydra in which folders a command looks for configs
new                 writes a new project, from the files in `template/`
"""

from litlab.project.folder import CONF, Project
from litlab.project.new import make_project
from litlab.project.search_path import Searched, searched, searching

__all__ = ["CONF", "Project", "Searched", "make_project", "searched", "searching"]
