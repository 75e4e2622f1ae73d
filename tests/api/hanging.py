"""The real application with one more path, which stops the whole process where it stands."""

import ctypes

from wsgi import app

HANG_SECONDS = 60


@app.get("/hang")
def hang() -> str:
    """Sleeps in C without giving the interpreter up, as a deadlock in an extension would."""
    ctypes.PyDLL(None).sleep(HANG_SECONDS)
    return ""
