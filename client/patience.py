"""How often to try, and how long to wait before the next try."""

import random
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LATER = (429, 502, 503, 504)  # answers after which another try makes sense


@dataclass(frozen=True, kw_only=True)
class Patience:
    """`tries` in all. Without word from the service the n-th wait is drawn from 0 to first_s * 2^n, at most longest_s.

    Waits are drawn at random so that clients that failed together do not come back together (full jitter).
    """

    tries: int = 8
    first_s: float = 0.5
    longest_s: float = 60.0
    longest_asked_s: float = 600.0  # a service that asks for a longer wait is not waited for

    def wait(self, tried: int, asked: float | None) -> float | None:
        """Seconds before the next try, after `tried` of them and `asked` by Retry-After; None: no further try."""
        if tried >= self.tries or (asked is not None and asked > self.longest_asked_s):
            return None
        if asked is not None:  # not earlier, and not all in the same instant
            return asked + random.uniform(0.0, 0.1 * asked + 0.1)  # nosec B311: no secret
        return random.uniform(0.0, min(self.longest_s, self.first_s * 2.0 ** (tried - 1)))  # nosec B311


def retry_after(text: str | None) -> float | None:
    """Seconds that a Retry-After header asks for, as a number or as a date (RFC 9110, 10.2.3); None without one."""
    if text is None:
        return None
    if text.strip().isdigit():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (moment - datetime.now(UTC)).total_seconds()) if moment.tzinfo else None
