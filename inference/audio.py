"""Recordings in and out: files of strangers become blocks of samples, and blocks become files.

Samples are float32 of shape [frames, channels], full scale +-1.0. Both directions work on seekable binary file objects
block by block, so that memory does not grow with the length, and leave opening and closing of the files to the caller.

    AudioReader   decode.py: from WAV, FLAC, Ogg Vorbis, Ogg Opus and MP3
    AudioWriter   encode.py: to the FORMATS WAV, FLAC, Ogg Vorbis and MP3
"""

from inference.decode import BLOCK_SECONDS, HIGHEST_RATE, LOWEST_RATE, MAX_CHANNELS, AudioReader
from inference.encode import FORMATS, AudioWriter, Format
from inference.samples import Samples

__all__ = [
    "BLOCK_SECONDS",
    "FORMATS",
    "HIGHEST_RATE",
    "LOWEST_RATE",
    "MAX_CHANNELS",
    "AudioReader",
    "AudioWriter",
    "Format",
    "Samples",
]
