"""The log: one JSON object a line on stderr. structlog makes the line, the standard library writes it.

No audio, no query and no header of the client is logged but its address and the request id, which is checked before
(api/requests.py): neither secrets nor forged lines can get in.
"""

import logging
from typing import Any

import structlog

PROCESSORS = (
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    structlog.processors.format_exc_info,
    structlog.processors.EventRenamer("message"),
    structlog.processors.JSONRenderer(),
)


def logger(name: str) -> Any:
    """A structlog logger over the standard library's logger `name`: log.info("what happened", key=value ...)."""
    return structlog.wrap_logger(
        logging.getLogger(name), processors=PROCESSORS, wrapper_class=structlog.stdlib.BoundLogger
    )


def configure(level: str) -> None:
    """Lines of the service to stderr from `level` on."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    root = logging.getLogger("hush")
    root.addHandler(handler)
    root.setLevel(level.upper())
    root.propagate = False
