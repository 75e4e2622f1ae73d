"""FastAPI: the model in the lifespan, a plain function as endpoint, which FastAPI runs in its thread pool.

Source: fastapi.tiangolo.com, "Lifespan Events", "Request Files", "Concurrency and async / await".
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, File, Response

from benchmarks.peer_servers.pipeline import enhanced, load
from inference.store import Model

models: dict[str, Model] = {}


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Loads the model when a worker starts."""
    models["production"] = load()
    yield


app = FastAPI(lifespan=lifespan)


@app.post("/predict")
def predict(audio_file: bytes = File()) -> Response:
    """A form with the file in, the enhanced file out."""
    return Response(enhanced(models["production"], audio_file), media_type="audio/wav")


@app.get("/health")
async def health() -> dict[str, str]:
    """In the event loop, not in the pool."""
    return {"status": "ok"}
