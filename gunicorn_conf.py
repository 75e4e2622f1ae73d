"""Settings of gunicorn. Only the standard library, because this file is read before anything else may be imported.

Each value is a number fixed by the design or a `HUSH_*` variable. A variable that cannot be read falls back to its
default here: right afterwards `api.settings` parses them all and stops the start, naming every bad one at once.
docs/operations.md lists the variables; https://docs.gunicorn.org/en/stable/settings.html explains the settings.
"""

import ctypes
import faulthandler
import gc
import logging
import math
import os
import resource
import shutil
import signal
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

M_ARENA_MAX = -8  # of mallopt(3)
MASTER_BYTES = 600 * 2**20  # the master with every model loaded and the kernels of one compiled
# gunicorn makes its files there with mkstemp and unlinks them at once.
SHARED_MEMORY = "/dev/shm"  # nosec B108
WORKER_BYTES = 200 * 2**20  # what a worker adds at most, measured after mixed requests


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _number(name: str, default: int) -> int:
    text = os.environ.get(f"HUSH_{name}", "")
    return int(text) if text.isascii() and text.isdigit() else default


def available_cores() -> int:
    """Cores this process may use: its CPU mask, less where the control group's quota (v2) is smaller."""
    quota, _, period = _read("/sys/fs/cgroup/cpu.max").partition(" ")
    limit = math.ceil(int(quota) / int(period)) if quota.isdigit() and period.isdigit() else sys.maxsize
    return max(1, min(len(os.sched_getaffinity(0)), limit))


def available_memory() -> int:
    """Bytes of memory this process may use: the machine's, less where the control group's limit (v2, v1) is smaller."""
    limits = [_read("/sys/fs/cgroup/memory.max"), _read("/sys/fs/cgroup/memory/memory.limit_in_bytes")]
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min(machine, *(int(limit) if limit.isdigit() else machine for limit in limits))


def default_workers(cores: int, memory: int) -> int:
    """One worker a core, as far as the memory (bytes) reaches."""
    return max(1, min(cores, (memory - MASTER_BYTES) // WORKER_BYTES))


_cores = _number("CORES", available_cores())
_slots = _number("SLOTS", 8 * available_cores())

# The application: module and name.
wsgi_app = "wsgi:app"

# Where to listen, HOST:PORT or unix:/PATH. nginx in front reaches a loopback address or a socket; nothing else should.
bind = os.environ.get("HUSH_BIND", "127.0.0.1:8000")

# Connections the kernel holds before they are accepted, 64 to net.core.somaxconn. Accepting is quick here, so the queue
# is only a cushion for bursts: refusing is the business of the admission, which says so to the client.
backlog = 2048

# The application is built once in the master and its memory shared by fork, 390 instead of 886 MB with four workers.
preload_app = True

# Processes, 1 to cores: inference is single-threaded, and more processes than cores only take memory.
workers = _number("WORKERS", default_workers(available_cores(), available_memory()))

# A thread holds an upload or a waiting request and hardly computes. One worker may happen to get every admitted
# request, and still needs threads to refuse others and to answer health checks. They are started as needed.
worker_class = "api.worker.ProblemWorker"
threads = _number("THREADS", _slots + _number("QUEUE_LENGTH", 8) + _number("LONG_REQUESTS", 8) + 4)

# Connections a worker accepts, idle ones included: as many as its limit of open files allows, when each thread holds
# three more (upload, answer, a selector) and a hundred are for everything else. Further ones wait in the backlog.
worker_connections = max(threads + 1, min(1000, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 3 * threads - 100))

# Seconds, 10 to 120. A worker's main loop reports each second; silent for longer it is aborted. Long requests run in
# threads and do not silence it. Keep timeout <= graceful_timeout < the balancer's deregistration delay.
timeout = _number("TIMEOUT_S", 30)

# Seconds, at least the longest request that must survive a restart.
graceful_timeout = _number("GRACEFUL_TIMEOUT_S", 60)

# Seconds an idle connection stays open, longer than the idle timeout of whoever is in front (nginx: 60 s), because
# the side that closes first may cut off a request that is under way.
keepalive = _number("KEEPALIVE_S", 75)

# Requests until a worker is replaced, 0 for never; the jitter keeps them from leaving together.
max_requests = _number("MAX_REQUESTS", 0)
max_requests_jitter = _number("MAX_REQUESTS_JITTER", 0)

# The workers report by touching a file; on a disk that can stall them, on shared memory it cannot.
worker_tmp_dir = SHARED_MEMORY if os.access(SHARED_MEMORY, os.W_OK) else None

# gunicorn opens a control socket by default; nobody here uses it.
control_socket_disable = True

# Bytes and count of what is read before a request reaches the application: 4094 are gunicorn's default for the first
# line; no client of this service needs many or long headers.
limit_request_line = 4094
limit_request_fields = 64
limit_request_field_size = 8190

# Log on stderr, for journald or the container to keep. The application writes the access log (HUSH_ACCESS_LOG).
loglevel = os.environ.get("HUSH_LOG_LEVEL", "info")
if loglevel not in ("debug", "info", "warning", "error", "critical"):
    loglevel = "info"
accesslog = None

# Set before the application is imported. One thread for each library that would start its own pool: more threads than
# cores halve the throughput, and a pool made before the fork hangs the workers. oneDNN keeps a compiled kernel for
# each layer and input length, a quarter of a MB each: several workers share the 600 of the model in production, one has
# 64 of its own, and without a bound they grew by hundreds of MB. torch keeps matrix products besides, in every thread,
# up to LRU_CACHE_CAPACITY (1024) of each kind: 1 MB for each length of recording. Waiting must not spin.
raw_env = [
    "OMP_NUM_THREADS=1",
    "MKL_NUM_THREADS=1",
    "OPENBLAS_NUM_THREADS=1",
    "OMP_WAIT_POLICY=PASSIVE",
    f"ONEDNN_PRIMITIVE_CACHE_CAPACITY={768 if workers > 1 else 64}",
    "LRU_CACHE_CAPACITY=1",  # 0 crashes
]
# These know of the control group's quota, which the application does not read.
_counted = {"HUSH_CORES": _cores, "HUSH_SLOTS": _slots}
raw_env += [f"{name}={value}" for name, value in _counted.items() if name not in os.environ]

# Where the workers count (api/metrics.py, which makes it): a folder of this master alone. The name stays the same when
# this file is read again (SIGHUP), and differs for a second master (SIGUSR2) and in another container.
METRICS_PREFIX = "hush-metrics-"


def _metrics_folder(process: str) -> Path:
    """Of the process with that id: named after its id, its start in ticks since boot and the namespace of both."""
    started = _read(f"/proc/{process}/stat").rpartition(")")[2].split()
    namespace = Path("/proc/self/ns/pid").stat().st_ino
    name = f"{METRICS_PREFIX}{namespace}-{process}-{started[19] if started else 0}"
    return Path(worker_tmp_dir or tempfile.gettempdir()) / name


metrics_folder = _metrics_folder(str(os.getpid()))
raw_env.append(f"PROMETHEUS_MULTIPROC_DIR={metrics_folder}")

_stall_timeout = _number("STALL_TIMEOUT_S", 30)


def on_starting(server: Any) -> None:
    """In the master, before any thread: one arena of glibc's malloc for all threads of a process.

    By default each thread gets one of its own, which keeps what its largest request needed; one that is shared keeps it
    once. The environment variable MALLOC_ARENA_MAX would do the same, but is read before this file.
    """
    with suppress(AttributeError, OSError):  # another C library
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)
    _forget_dead_masters()


def _forget_dead_masters() -> None:
    """Removes the metrics of masters that were killed."""
    namespace = metrics_folder.name.rsplit("-", 2)[0]
    for folder in metrics_folder.parent.glob(f"{namespace}-*"):
        process = folder.name.rsplit("-", 2)[1]
        if folder != _metrics_folder(process) and folder.stat().st_uid == os.getuid():
            shutil.rmtree(folder, ignore_errors=True)


def on_exit(server: Any) -> None:
    """In the master, after the last worker."""
    shutil.rmtree(metrics_folder, ignore_errors=True)


def pre_fork(server: Any, worker: Any) -> None:
    """In the master: the new worker gets a seat, under which its metrics are kept, and will lose no signal."""
    server.app.wsgi().extensions["crew"].enlist(worker, server.WORKERS.values())
    worker.hold_signals()


def child_exit(server: Any, worker: Any) -> None:
    """In the master, once a worker is dead."""
    server.app.wsgi().extensions["crew"].dismiss(worker)


def when_ready(server: Any) -> None:
    """Before the first fork: what is loaded now is never collected, so the collector does not touch shared pages.

    What each worker would make for itself is made for all of them; a single one may as well make it when it is needed.
    """
    several, extensions = server.cfg.workers > 1, server.app.wsgi().extensions
    if several:
        extensions["holes"].open()
        extensions["rehearse"]()
    gc.collect()
    gc.freeze()
    if several:
        extensions["holes"].fill()


def on_reload(server: Any) -> None:
    """In the master, on SIGHUP, before new workers are forked: the models folder is read again.

    gunicorn itself loads nothing again under `preload_app`. Code and `HUSH_*` variables stay those of the start.
    """
    server.app.wsgi().extensions["reload_models"]()
    gc.unfreeze()  # so that what is left of the old models can be collected
    when_ready(server)


def post_fork(server: Any, worker: Any) -> None:
    """Where memory runs out the kernel takes a worker, which the master replaces, and never the master.

    C's `stderr` leads nowhere in a worker: the MP3 decoder in libsndfile writes lines for each damaged frame to it, 3.9
    MB for 1.4 MB of hostile upload, and has no switch. Python, its tracebacks and faulthandler use the descriptor.
    """
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")
    with suppress(AttributeError, OSError, ValueError):  # another C library
        library = ctypes.CDLL(None)
        library.fopen.restype = ctypes.c_void_p
        nowhere = library.fopen(b"/dev/null", b"w")
        if nowhere:
            ctypes.c_void_p.in_dll(library, "stderr").value = nowhere


def post_worker_init(worker: Any) -> None:
    """In each worker, once its signal handlers are set.

    On SIGABRT, which gunicorn sends to a worker that hangs, every thread's stack goes to stderr; the handler is in C,
    so it runs even while a thread keeps the interpreter to itself. On SIGTERM the worker also stops being ready. The
    first forward pass happens here, while no request is there that it could disturb.
    """
    worker.wsgi.extensions["crew"].join(worker)
    worker.wsgi.extensions["start_worker"]()
    worker.wsgi.extensions["readiness"].prime()
    faulthandler.enable(sys.stderr, all_threads=True)

    def terminate(number: int, frame: FrameType | None) -> None:
        worker.wsgi.extensions["readiness"].drain()
        worker.handle_exit(number, frame)

    signal.signal(signal.SIGTERM, terminate)
    signal.siginterrupt(signal.SIGTERM, False)


def pre_request(worker: Any, request: Any) -> None:
    """A client that stalls in the middle of its body, or does not take the answer, must not keep a thread for ever."""
    request.unreader.sock.settimeout(_stall_timeout)


def worker_exit(server: Any, worker: Any) -> None:
    """A worker that has served its last request ends at once, so that the master can replace it.

    Taking a loaded torch apart in order costs tenths of a second in which nobody serves in its place. A worker that
    never came up ends the usual way: its exit status tells the master why.
    """
    if worker.booted:
        worker.wsgi.extensions["stop_worker"]()
        worker.wsgi.extensions["crew"].leave(worker)
        logging.shutdown()
        os._exit(0)


def worker_abort(worker: Any) -> None:
    """A hanging worker is about to end."""
    logging.getLogger("gunicorn.error").critical(
        "worker %d hung for more than %d s; the stacks of its threads are above", worker.pid, timeout
    )
