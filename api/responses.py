"""From samples to an answer: encoding into a spool, and sending that spool without copying it again."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import BinaryIO, cast

from flask import Response, request
from werkzeug.wsgi import wrap_file

from api.spool import Spool, Spooler
from api.timing import StageClock
from inference.audio import AudioReader, AudioWriter, Format
from inference.samples import Samples

SEND_BYTES = 64 * 1024  # a piece of an answer sent from memory; from a file the kernel sends by itself


@dataclass(frozen=True)
class Encoded:
    """An encoded recording and how many of its samples had to be clipped to full scale."""

    file: Spool
    format: Format
    clipped_samples: int


def encode(
    blocks: Iterable[Samples],
    format: Format,
    *,
    rate: int,
    source: AudioReader,
    spooler: Spooler,
    clock: StageClock,
    frames: int | None = None,
) -> Encoded:
    """Encodes float32 blocks [n, channels] at `rate` Hz, keeping the channels and the sample depth of `source`.

    `frames` is how many there will be, where that is known: what cannot be held is then refused at once. Raises
    `UnacceptableFormat`, OSError where there is no room for the answer, and whatever the making of the blocks raises.
    """
    spool = spooler()
    try:
        with AudioWriter(
            cast(BinaryIO, spool),
            format,
            rate=rate,
            channels=source.channels,
            source_subtype=source.subtype,
            frames=frames,
        ) as writer:
            for block in blocks:
                with clock.stage("encode"):
                    writer.write(block)
            with clock.stage("encode"):
                writer.close()
    except BaseException:
        spool.close()
        raise
    return Encoded(spool, format, writer.clipped_samples)


def audio_answer(encoded: Encoded, name: str, clock: StageClock, headers: Mapping[str, str | int]) -> Response:
    """The recording as an attachment `name` with the extension of its format, and further `headers`."""
    known = {
        "Content-Length": encoded.file.size(),
        "Content-Disposition": f"attachment; filename={name}{encoded.format.extension}",
        "Vary": "Accept",
        "Server-Timing": clock.header(),
        "X-Clipped-Samples": encoded.clipped_samples,
    }
    body = wrap_file(request.environ, encoded.file, SEND_BYTES)
    all_headers = [(key, str(value)) for key, value in {**known, **headers}.items()]
    return Response(body, headers=all_headers, mimetype=encoded.format.media_type, direct_passthrough=True)
