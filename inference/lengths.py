"""How many spectra a network gets at once. They are few numbers, all known before anybody sends a recording.

oneDNN compiles kernels for each length, which takes as long as a tenth of a second of audio takes, and keeps a quarter
of a MiB for each. With lengths that are known all of them can be compiled once and shared (inference/kernels.py).
"""

PASS_FRAMES = (
    640  # spectra of all streams together in one forward pass: 10 s of mono. Bounds memory: the activations of
)
# four times 10 s take 57 MiB in one piece, 22 MiB in four, and no more time; longer passes leave the caches of a core
MIN_FRAMES = 64  # of one stream, unless it ends: shorter passes are mostly overhead
STEP = 32  # the last spectra of a stream are filled up to a multiple of it, half a second


def pass_frames(streams: int) -> int:
    """Spectra of each of `streams` in one pass, unless they end."""
    return max(PASS_FRAMES // streams // STEP * STEP, MIN_FRAMES)


def filled_up(frames: int) -> int:
    """How many spectra the end of a stream is made, at least `frames`."""
    return -(-frames // STEP) * STEP


def lengths(streams: int, longest_ending: int) -> list[int]:
    """Every number of spectra of each of `streams` in one pass, where streams end with at most `longest_ending`."""
    whole = pass_frames(streams)
    return sorted({whole, *(filled_up(frames) for frames in range(1, max(longest_ending, whole) + 1))})
