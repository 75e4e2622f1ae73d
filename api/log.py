"""The log: one JSON object a line on stderr. structlog makes the line, the standard library writes it.

No audio, no query and no header of the client is logged but its address and the request id, which is checked before
(api/requests.py): neither secrets nor forged lines can get in.
"""

import json
import logging
from typing import Any

import structlog

ENCODER = json.JSONEncoder(default=str)
PROCESSORS = (
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    structlog.processors.format_exc_info,
    structlog.processors.EventRenamer("message"),
    # json.dumps would make a new encoder for each line.
    structlog.processors.JSONRenderer(serializer=lambda line, **_: ENCODER.encode(line)),
)


def logger(name: str) -> Any:
    """A structlog logger over the standard library's logger `name`: log.info("what happened", key=value ...)."""
    wrapper = structlog.make_filtering_bound_logger(logging.NOTSET)  # the level is the standard library's business
    lazy = structlog.wrap_logger(logging.getLogger(name), processors=PROCESSORS, wrapper_class=wrapper)
    return lazy.bind()  # once, not for each line


def configure(level: str) -> None:
    """Lines of the service to stderr from `level` on."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    root = logging.getLogger("hush")
    root.addHandler(handler)
    root.setLevel(level.upper())
    root.propagate = False
