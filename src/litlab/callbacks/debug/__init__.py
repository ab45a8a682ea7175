"""Callbacks of `debug=`: they look for mistakes in a run, and are too slow for a real one.

overfit          learns one batch by heart, and says whether that went well
profile          where the time of a step goes, by operation and by function
first_nonfinite  names the layer that makes the first NaN
"""

from litlab.callbacks.debug.first_nonfinite import FirstNonFinite
from litlab.callbacks.debug.overfit import OverfitOneBatch, not_one_batch
from litlab.callbacks.debug.profile import Profile

__all__ = ["FirstNonFinite", "OverfitOneBatch", "Profile", "not_one_batch"]
