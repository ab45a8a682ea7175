"""One page of a run: `report.png` for a slide, and `report.html` with the same and all numbers, for a colleague.

Both stand alone: they need no network, and hold no path of this machine.
"""

from litlab.report.collect import Answers, Page, Sample, answers, page
from litlab.report.files import FILES, try_to_write_page, write_page

__all__ = ["FILES", "Answers", "Page", "Sample", "answers", "page", "try_to_write_page", "write_page"]
