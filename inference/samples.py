"""What audio is inside the library."""

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
"""Sound: float32 of shape [frames, channels], or [frames] where a docstring says so; full scale is +-1.0."""

LARGEST = 1e9
"""Largest magnitude that is taken for a sample, 180 dB above full scale: its square and sums of it stay finite."""
