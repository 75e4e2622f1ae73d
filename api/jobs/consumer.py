"""The process that works on jobs, one at a time: `python -m api.jobs.consumer`. There may be several.

It gives way to `/predict` (nice 10). On SIGTERM the job it works on goes back into the queue, at the next block; after
SIGKILL another consumer, or the next one, begins that job again as soon as its lease has run out.
"""

import logging
import os
import socket
import sys
import threading

import torch
from huey.consumer import Consumer

from api.environment import SettingsError
from api.jobs.caretaker import Caretaker
from api.jobs.places import Places, open_places
from api.jobs.work import Worker
from api.settings import Settings
from inference.errors import StoreError
from inference.store import ModelStore, load_store

NICE = 10
POLL_SECONDS = 0.5  # between looks at an empty queue in SQLite; Redis wakes by itself


def main() -> int:
    """0 after an orderly end, 1 with a sentence when it cannot start."""
    try:
        settings = Settings.from_environment(os.environ)
        places = open_places(settings)
        if places is None:
            raise SettingsError(["there are no jobs to work on: neither HUSH_JOBS_DIR nor HUSH_JOBS_BUCKET is set"])
        _configure_log(settings.log_level)
        os.nice(max(0, NICE - os.nice(0)))
        torch.set_num_threads(1)
        models = load_store(settings.models_dir, precision=settings.precision)
        models.to(settings.device)
        models.warm_up()
    except (SettingsError, StoreError) as error:
        print(f"hush: {error}", file=sys.stderr)
        return 1
    run(settings, places, models)
    return 0


def run(settings: Settings, places: Places, models: ModelStore) -> None:
    """Works until SIGTERM or SIGINT."""
    stopping = threading.Event()
    owner = f"{socket.gethostname()}:{os.getpid()}:{os.urandom(4).hex()}"
    worker = Worker(places, models, settings, owner, lambda: consumer.stop_flag.is_set())
    queue = places.open_queue(worker)
    worker.requeue = queue.put
    consumer = Consumer(
        queue.huey, workers=1, periodic=False, backoff=1.0, initial_delay=POLL_SECONDS, graceful_signal="TERM"
    )
    caretaker = Caretaker(places, settings, queue)
    thread = threading.Thread(target=caretaker.run, args=(stopping,), name="caretaker")
    thread.start()
    logging.getLogger("hush").info("consumer %s is ready", owner)
    try:
        consumer.run()
    finally:
        stopping.set()
        thread.join()


def _configure_log(level: str) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    for name, least in (("hush", level.upper()), ("huey", "WARNING")):
        logger = logging.getLogger(name)
        logger.addHandler(handler)
        logger.setLevel(least)
        logger.propagate = False


if __name__ == "__main__":
    sys.exit(main())
