"""Measures of enhanced speech against the clean reference, on whole signals at SAMPLING_RATE.

PESQ      ITU-T P.862.2 (wide band), 1.04 to 4.64; package `pesq`
STOI      Taal et al., 2011, and ESTOI, Jensen and Taal, 2016: 0 to 1; package `pystoi`
SI-SDR    Le Roux et al., "SDR - half-baked or well done?", 2019, in dB
"""

import numpy as np
from numpy.typing import NDArray
from pesq import NoUtterancesError
from pesq import pesq as _pesq
from pystoi import stoi as _stoi

from inference.spectral import SAMPLING_RATE

Signal = NDArray[np.floating]

TINY = 1e-12


def pesq(reference: Signal, degraded: Signal) -> float:
    """Wide-band PESQ; NaN where it finds no speech in the reference."""
    if not (reference.any() or degraded.any()):
        return float("nan")
    try:
        return float(_pesq(SAMPLING_RATE, reference, degraded, "wb"))
    except NoUtterancesError:
        return float("nan")


def stoi(reference: Signal, degraded: Signal, *, extended: bool = False) -> float:
    """STOI, or ESTOI when `extended`."""
    return float(_stoi(reference, degraded, SAMPLING_RATE, extended=extended))


def si_sdr(reference: Signal, degraded: Signal) -> float:
    """Scale-invariant signal-to-distortion ratio in dB; both signals are made zero-mean first."""
    target = reference.astype(np.float64) - reference.mean(dtype=np.float64)
    estimate = degraded.astype(np.float64) - degraded.mean(dtype=np.float64)
    projection = target * (estimate @ target / max(float(target @ target), TINY))
    distortion = estimate - projection
    return float(10 * np.log10(max(projection @ projection, TINY) / max(distortion @ distortion, TINY)))


def level_change(reference: Signal, degraded: Signal) -> float:
    """Level of `degraded` over `reference` in dB, over the whole signals."""
    energies = [float(np.square(signal, dtype=np.float64).sum()) + TINY for signal in (degraded, reference)]
    return float(10 * np.log10(energies[0] / energies[1]))
