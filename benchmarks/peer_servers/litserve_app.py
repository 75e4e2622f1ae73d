"""LitServe: `setup` loads, `predict` computes, in as many workers as there are cores; GET /health is its own.

Source: lightning.ai/docs/litserve, "LitAPI", "LitServer" (workers_per_device, num_api_servers).
"""

import sys
from typing import Any

import litserve
from fastapi import Request, Response

from benchmarks.peer_servers.pipeline import enhanced, load


class Denoiser(litserve.LitAPI):  # type: ignore[misc]
    """One in each inference worker."""

    def setup(self, device: str) -> None:
        """Loads the model."""
        self.model = load()

    def decode_request(self, request: Request) -> bytes:
        """The bytes of the file in the form."""
        form: Any = request  # LitServe has parsed it by then
        recording: bytes = form["audio_file"].file.read()
        return recording

    def predict(self, recording: bytes) -> bytes:
        """Computes; a worker does one request at a time."""
        return enhanced(self.model, recording)

    def encode_response(self, output: bytes) -> Any:
        """The file as it is."""
        return Response(output, media_type="audio/wav")


if __name__ == "__main__":
    port, workers = int(sys.argv[1]), int(sys.argv[2])
    server = litserve.LitServer(Denoiser(), accelerator="cpu", workers_per_device=workers, timeout=60)
    server.run(host="127.0.0.1", port=port, num_api_servers=1, generate_client_file=False, log_level="warning")
