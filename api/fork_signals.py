"""Signals that the master sends to a worker once, held while the worker cannot act on them yet.

After the fork a worker has the handlers of its master until it sets its own, and those would queue a signal for nobody.
gunicorn does not repeat it: the master waits for that worker until the graceful timeout, then kills it. Held from
before the fork until the worker has its own handlers, the signal is not lost.
"""

import os
import signal

TOLD_ONCE = {signal.SIGTERM, signal.SIGQUIT, signal.SIGINT, signal.SIGUSR1}


def hold() -> None:
    """In the master, before the fork; the worker inherits it."""
    signal.pthread_sigmask(signal.SIG_BLOCK, TOLD_ONCE)


def release() -> None:
    """In the master after any fork, and in the worker once it has its own handlers."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, TOLD_ONCE)


os.register_at_fork(after_in_parent=release)
