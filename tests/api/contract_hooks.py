"""For schemathesis (SCHEMATHESIS_HOOKS): where the description says a recording, it sends one."""

import schemathesis
from hypothesis import strategies

from api.specification.document import BARE_TYPES
from tests.api.recordings import encoded, noise

# With one or two channels and up to 48 kHz, so that every format of the answer can hold them.
RECORDINGS = strategies.sampled_from(
    [
        encoded(noise(0.3)),
        encoded(noise(0.1, rate=48000, channels=2), rate=48000),
        encoded(noise(0.2, rate=44100), rate=44100, container="FLAC", subtype="PCM_24"),
        encoded(noise(0.5, rate=8000), rate=8000, container="OGG"),
        encoded(noise(0.3), container="MP3"),
    ]
)

for media_type in BARE_TYPES:
    schemathesis.openapi.media_type(media_type, RECORDINGS)
schemathesis.openapi.format("binary", RECORDINGS)


@schemathesis.hook
def filter_case(context: schemathesis.HookContext, case: schemathesis.Case) -> bool:
    """Leaves out the one valid pair of parameters that is refused: OpenAPI cannot say that two exclude each other."""
    query = case.query or {}
    return not (query.get("format") == "mp3" and query.get("stream") in ("true", True))
