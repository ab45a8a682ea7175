"""The page of a run: `report.png`, for a slide, and `report.html`, with the same and all numbers, for a colleague.

Both stand alone: they need no network. `report.html` names the files of pictures as the config names their folder.
"""

from litlab.report.evaluation import Evaluation, Sample, last_evaluation
from litlab.report.files import FILES, try_to_write_page, write_page
from litlab.report.page import Page, page

__all__ = ["FILES", "Evaluation", "Page", "Sample", "last_evaluation", "page", "try_to_write_page", "write_page"]
