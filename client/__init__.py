"""A client of the service, as a library and as a command: `python -m client --help`.

    from client import Hush
    clean = Hush("http://127.0.0.1:8000").enhance("noisy.wav")

    service.py      Hush: requests, answers, retries
    patience.py     how long to wait before another try
    jobs.py         recordings that are too long for one request
    recordings.py   which recordings there are, and where their answers go
    errors.py       what can go wrong
    __main__.py     the command

It needs nothing of the rest of the project.
"""

from client.errors import ClientError, JobLost, Refused, Stopped, Unreachable
from client.options import Options
from client.patience import Patience
from client.service import Hush

__all__ = ["ClientError", "Hush", "JobLost", "Options", "Patience", "Refused", "Stopped", "Unreachable"]
