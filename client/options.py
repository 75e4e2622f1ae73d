"""What can be asked for with a recording."""

from dataclasses import dataclass

FORMATS = {"wav": ".wav", "flac": ".flac", "ogg": ".ogg", "mp3": ".mp3"}  # of answers: name, extension


@dataclass(frozen=True, kw_only=True)
class Options:
    """The query of `/predict`; None leaves the choice to the service."""

    model: str | None = None
    format: str | None = None
    sample_rate: str | None = None  # "source" or "model"
    attenuation_limit_db: float | None = None

    def query(self) -> dict[str, str]:
        """The parameters that are not None."""
        return {name: str(value) for name, value in vars(self).items() if value is not None}

    @property
    def extension(self) -> str:
        """Of the answer's file name."""
        return FORMATS[self.format or "wav"]
