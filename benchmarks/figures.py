"""Numbers that several benchmarks report."""

from collections.abc import Sequence

import numpy as np
import psutil

MIB = 2**20


def percentile(values: Sequence[float], percent: float) -> float | None:
    """Of `values`, to a tenth; None where there are none."""
    return round(float(np.percentile(values, percent)), 1) if len(values) else None


def shown(value: float | None) -> str:
    """For a table."""
    return "-" if value is None else f"{value:.1f}"


def tree_pss(process: psutil.Process) -> float:
    """Proportional memory of a process and all its children, MiB."""
    everyone = [process, *process.children(recursive=True)]
    return sum(one.memory_full_info().pss for one in everyone) / MIB
