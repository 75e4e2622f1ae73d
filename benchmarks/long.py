"""Long recordings: does memory stay, does cost grow with the length alone, how soon does a streamed answer begin.

Each length is posted with `stream=true` to a worker of its own server while the worker's private memory is read ten
times a second. The first byte is counted from the end of the upload.

    make bench BENCH=long
    python -m benchmarks.long --minutes 1 10 60 180
"""

import argparse
import http.client
import io
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import psutil
import soundfile
from matplotlib.axes import Axes

from benchmarks.efficiency import RATE, cpu_seconds
from benchmarks.figures import MIB
from benchmarks.machine import description
from benchmarks.results import parser, write
from tests.servers import start_gunicorn

READ_BYTES = 1 << 18
POLL = 0.1  # seconds


class Memory(threading.Thread):
    """Reads the private memory (USS) of a process until told to stop."""

    def __init__(self, process: psutil.Process) -> None:
        super().__init__(daemon=True)
        self._process = process
        self._end = threading.Event()
        self.highest = self.first = self.read()
        self.start()

    def read(self) -> float:
        """MiB."""
        return float(self._process.memory_full_info().uss / MIB)

    def run(self) -> None:
        """Until `stop`."""
        while not self._end.wait(POLL):
            self.highest = max(self.highest, self.read())

    def stop(self) -> None:
        """No more readings."""
        self._end.set()
        self.join()


def write_recording(file: BinaryIO, minutes: float) -> None:
    """16-bit WAV, mono, minute by minute."""
    generator = np.random.default_rng(0)
    with soundfile.SoundFile(file, "w", samplerate=RATE, channels=1, format="WAV", subtype="PCM_16") as sound:
        left = round(minutes * 60 * RATE)
        while left:
            count = min(left, 60 * RATE)
            sound.write(generator.normal(0, 0.1, count))
            left -= count
    file.seek(0)


def post(port: int, file: BinaryIO) -> tuple[float, float, float, int]:
    """Seconds of the upload, until the first byte after it, until the end after it; bytes of the answer."""
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    start = time.monotonic()
    headers = {"Content-Type": "audio/wav", "Content-Length": str(size)}
    connection.request("POST", "/predict?stream=true", body=file, headers=headers)
    sent = time.monotonic()
    answer = connection.getresponse()
    count = len(answer.read(1))
    first = time.monotonic()
    while data := answer.read(READ_BYTES):
        count += len(data)
    done = time.monotonic()
    connection.close()
    if answer.status != 200:
        raise RuntimeError(f"status {answer.status}")
    return sent - start, first - sent, done - sent, count


def measure(minutes: float) -> dict[str, Any]:
    """One row."""
    with (
        tempfile.TemporaryDirectory() as folder,
        tempfile.TemporaryFile() as file,
        start_gunicorn(
            Path(folder), HUSH_WORKERS="1", HUSH_SLOTS="1", HUSH_MAX_SECONDS="36000", HUSH_MAX_BODY_BYTES=str(2**32)
        ) as server,
    ):
        write_recording(file, 0.5)
        post(server.port, file)  # whatever is made at the first use
        file.seek(0)
        file.truncate()
        write_recording(file, minutes)
        memory, before = Memory(server.workers()[0]), cpu_seconds(server)
        upload, first, done, count = post(server.port, file)
        memory.stop()
        cpu = cpu_seconds(server) - before
    if count != 44 + round(minutes * 60 * RATE) * 2:
        raise RuntimeError(f"the answer has {count} bytes")
    return {
        "minutes": minutes,
        "upload_s": round(upload, 3),
        "first_byte_s": round(first, 3),
        "done_s": round(done, 2),
        "cpu_s": round(cpu, 2),
        "times_real_time_cpu": round(60 * minutes / cpu, 1),
        "memory_before_mib": round(memory.first, 1),
        "memory_growth_mib": round(memory.highest - memory.first, 1),
    }


def table(rows: list[dict[str, Any]]) -> str:
    """The rows for the screen."""
    lines = ["minutes   upload s  first byte s    done s   CPU s  x real time (CPU)  memory before, growth MiB"]
    lines += [
        f"{row['minutes']:7g} {row['upload_s']:10.2f} {row['first_byte_s']:13.3f} {row['done_s']:9.2f} "
        f"{row['cpu_s']:7.2f} "
        f"{row['times_real_time_cpu']:14.0f} {row['memory_before_mib']:14.1f} {row['memory_growth_mib']:8.1f}"
        for row in rows
    ]
    return "\n".join(lines)


def draw(rows: list[dict[str, Any]], axes: Axes) -> None:
    """CPU time and memory against length."""
    minutes = [row["minutes"] for row in rows]
    axes.loglog(minutes, [row["cpu_s"] for row in rows], marker="o", label="CPU seconds")
    axes.loglog(minutes, [row["memory_growth_mib"] for row in rows], marker="x", label="growth of memory, MiB")
    axes.set(xlabel="minutes of audio", title="Long recordings, streamed")
    axes.legend()


def parse() -> argparse.Namespace:
    """The command line."""
    found = parser(__doc__)
    found.add_argument("--minutes", type=float, nargs="+", default=[1, 10, 60, 180], help="lengths")
    return found.parse_args()


def main() -> None:
    """Measures, prints the table, writes JSON and plot."""
    options = parse()
    machine = description()
    rows = [measure(minutes) for minutes in options.minutes]
    print(table(rows))
    write(options, "long", machine, {"rows": rows}, table(rows), lambda axes: draw(rows, axes))


if __name__ == "__main__":
    main()
