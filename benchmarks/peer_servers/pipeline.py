"""What every peer does with a recording: decode, enhance, encode, with this project's library."""

import io

import torch

from inference.audio import FORMATS, AudioReader, AudioWriter
from inference.enhancer import Enhancer, enhance
from inference.store import Model, load_store
from tests.servers import ROOT


def load() -> Model:
    """The model that is served by default, computing in one thread."""
    torch.set_num_threads(1)
    store = load_store(ROOT / "models", precision="auto")
    store.warm_up()
    return store.resolve("production")


def enhanced(model: Model, recording: bytes) -> bytes:
    """A WAV in, a WAV out."""
    answer = io.BytesIO()
    with AudioReader(io.BytesIO(recording)) as reader:
        rate, channels = reader.rate, reader.channels
        enhancer = Enhancer(model, rate=rate, channels=channels)
        with AudioWriter(answer, FORMATS["wav"], rate=rate, channels=channels, source_subtype=reader.subtype) as writer:
            for block in enhance(reader.blocks(), enhancer):
                writer.write(block)
    return answer.getvalue()
