"""BentoML: a service class with as many workers as cores; GET /healthz and /readyz are its own.

Source: docs.bentoml.com, "Create online API Services", "Parallelize requests handling" (workers), "Input and output".
"""

import os
from pathlib import Path

import bentoml

from benchmarks.peer_servers.pipeline import enhanced, load

WORKERS = int(os.environ.get("PEER_WORKERS", "1"))


@bentoml.service(workers=WORKERS, traffic={"timeout": 60})  # type: ignore[untyped-decorator]
class Denoiser:
    """One in each worker process."""

    def __init__(self) -> None:
        self.model = load()

    @bentoml.api(route="/predict")  # type: ignore[untyped-decorator]
    def predict(self, audio_file: Path, context: bentoml.Context) -> Path:
        """A form with the file in, the enhanced file out."""
        answer = Path(context.temp_dir) / "enhanced.wav"
        answer.write_bytes(enhanced(self.model, audio_file.read_bytes()))
        return answer
