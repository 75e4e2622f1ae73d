"""Speech enhancement as a library: decode, resample, enhance, encode. Knows nothing of HTTP or the environment."""
