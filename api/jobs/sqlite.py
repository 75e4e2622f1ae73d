"""States of jobs in a file of SQLite: for one machine, with as many processes as it has."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from api.jobs.job import Job, State, from_json, to_json
from api.jobs.records import Room, same_request
from api.jobs.tally import Figures, tally

BUSY_SECONDS = 10.0  # how long to wait for another process's transaction; they take milliseconds
SCHEMA = """
create table if not exists jobs (
    id text primary key, state text not null, created real not null, bytes integer not null,
    key text, body text not null
);
create unique index if not exists jobs_key on jobs (key);
create index if not exists jobs_state on jobs (state, created);
create table if not exists counts (name text primary key, amount real not null);
"""


class SqliteRecords:
    """`Records` in `file`, which is made where it is missing.

    A connection lives as long as a call: it must not be carried over a fork, and opening one takes a tenth of a
    millisecond.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._write_ahead()
        with self._transaction() as rows:
            for statement in SCHEMA.split(";"):
                rows.execute(statement)

    def add(self, job: Job, room: Room) -> Job:
        """See `Records`."""
        with self._transaction() as rows:
            if job.key:
                known = rows.execute("select body from jobs where key = ?", (job.key,)).fetchone()
                if known is not None:
                    return same_request(from_json(known[0]), job)
            (waiting,) = rows.execute("select count(*) from jobs where state = ?", (State.QUEUED,)).fetchone()
            (stored,) = rows.execute("select coalesce(sum(bytes), 0) from jobs").fetchone()
            room.check(waiting, stored, job.bytes)
            _write(rows, job)
        return job

    def get(self, name: str) -> Job | None:
        """See `Records`."""
        with self._transaction("begin") as rows:
            return _read(rows, name)

    def change(self, name: str, step: Callable[[Job], Job]) -> Job:
        """See `Records`."""
        with self._transaction() as rows:
            job = _read(rows, name)
            if job is None:
                raise KeyError(name)
            changed = step(job)
            _write(rows, changed, job)
        return changed

    def remove(self, name: str) -> None:
        """See `Records`."""
        with self._transaction() as rows:
            rows.execute("delete from jobs where id = ?", (name,))

    def waiting(self) -> list[str]:
        """See `Records`."""
        with self._transaction("begin") as rows:
            found = rows.execute("select id from jobs where state = ? order by created, id", (State.QUEUED,))
            return [name for (name,) in found]

    def all(self) -> list[Job]:
        """See `Records`."""
        with self._transaction("begin") as rows:
            return [from_json(body) for (body,) in rows.execute("select body from jobs")]

    def figures(self) -> Figures:
        """See `Records`."""
        with self._transaction("begin") as rows:
            found = rows.execute("select state, count(*), min(created) from jobs group by state")
            states = {state: (number, oldest) for state, number, oldest in found}
            (stored,) = rows.execute("select coalesce(sum(bytes), 0) from jobs").fetchone()
            counts = dict(rows.execute("select name, amount from counts").fetchall())
        waiting, oldest = states.get(State.QUEUED, (0, None))
        running, _ = states.get(State.RUNNING, (0, None))
        return Figures(waiting=waiting, running=running, oldest=oldest, bytes=stored, counts=counts)

    def _write_ahead(self) -> None:
        """Lets readers go on while somebody writes; the file remembers it.

        SQLite does not wait for others here: two processes that make the file at the same time are in each other's way.
        """
        deadline = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                with closing(sqlite3.connect(self._file, timeout=BUSY_SECONDS)) as connection:
                    connection.execute("pragma journal_mode = wal")
                return
            except sqlite3.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    @contextmanager
    def _transaction(self, begin: str = "begin immediate") -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self._file, timeout=BUSY_SECONDS, isolation_level=None)
        try:
            # A crash of the machine may cost the last changes, which a lease makes good; not the file.
            connection.execute("pragma synchronous = normal")
            connection.execute(begin)
            with connection:  # commits, or rolls back
                yield connection
        finally:
            connection.close()


def _read(rows: sqlite3.Connection, name: str) -> Job | None:
    found = rows.execute("select body from jobs where id = ?", (name,)).fetchone()
    return None if found is None else from_json(found[0])


def _write(rows: sqlite3.Connection, job: Job, before: Job | None = None) -> None:
    values = (job.id, job.state, job.created, job.bytes, job.key or None, to_json(job))
    rows.execute("insert or replace into jobs (id, state, created, bytes, key, body) values (?, ?, ?, ?, ?, ?)", values)
    for name, amount in tally(before, job).items():
        rows.execute(
            "insert into counts (name, amount) values (?, ?) on conflict (name) do update set amount = amount + ?",
            (name, amount, amount),
        )
