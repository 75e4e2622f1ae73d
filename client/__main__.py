"""Send recordings to a service: `python -m client IN ... --url URL --out FOLDER`.

What is done already is skipped, so a call that was interrupted is simply repeated. The API key is read from the
environment variable HUSH_API_KEY, so that it is in no list of processes and no shell history.
"""

import argparse
import os
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from tqdm import tqdm

from client.errors import ClientError, Refused, Stopped
from client.jobs import enhance_as_job, named_by
from client.options import FORMATS, Options
from client.patience import Patience
from client.recordings import Task, tasks
from client.service import Hush

PROGRAM = "python -m client"
INTERRUPTED = 130  # as a shell has it: 128 + SIGINT


def main(arguments: list[str] | None = None) -> int:
    """Exit status: 0 all done, 1 some failed (the others are done), 2 wrong call or no service, 130 interrupted."""
    chosen = parser().parse_args(arguments)
    options = Options(
        model=chosen.model,
        format=chosen.format,
        sample_rate=chosen.sample_rate,
        attenuation_limit_db=chosen.attenuation_limit_db,
    )
    try:
        work = tasks(chosen.inputs, chosen.out, options.extension)
        hush = service(chosen)
        check_model(hush, chosen.model)
    except (ClientError, OSError, ValueError) as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return INTERRUPTED
    wanted = [task for task in work if chosen.overwrite or not task.target.exists()]
    outcomes = Counter(skipped=len(work) - len(wanted))
    try:
        outcomes.update(run(hush, wanted, options, chosen))
    except KeyboardInterrupt:
        print(f"{PROGRAM}: interrupted; the same call goes on where this one ended", file=sys.stderr)
        return INTERRUPTED
    print(f"{len(work)} recordings: {', '.join(f'{outcomes[name]} {name}' for name in NAMES)}")
    return 1 if outcomes["failed"] else 0


NAMES = ("enhanced", "skipped", "failed")


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = argparse.ArgumentParser(prog=PROGRAM, description="Remove the noise from recordings, by a Hush service.")
    p.add_argument("inputs", nargs="+", type=Path, metavar="IN", help="recordings, or folders (searched recursively)")
    p.add_argument("--url", required=True, help="address of the service, such as https://voice.example.org")
    p.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder of the answers; mirrors folders of IN"
    )
    p.add_argument("--model", help="key or label of the model (default: the service's)")
    p.add_argument("--format", choices=sorted(FORMATS), help="of the answers (default: wav)")
    p.add_argument("--sample-rate", choices=("source", "model"), help="of the answers (default: the recording's)")
    p.add_argument("--attenuation-limit-db", type=float, metavar="X", help="remove at most X dB of noise")
    p.add_argument(
        "--parallel", type=positive, default=4, metavar="N", help="requests at a time (default: %(default)s)"
    )
    p.add_argument("--tries", type=positive, default=8, metavar="N", help="for each recording (default: %(default)s)")
    p.add_argument("--timeout", type=float, default=300.0, metavar="S", help="seconds for an answer (default: 300)")
    p.add_argument("--overwrite", action="store_true", help="do again what is done already")
    p.add_argument("--jobs", action="store_true", help="hand recordings that are too long for one request in as jobs")
    return p


def positive(text: str) -> int:
    """A whole number above 0."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return int(text)


def service(chosen: argparse.Namespace) -> Hush:
    """The service of the command line; raises ValueError for an address that is none."""
    key = os.environ.get("HUSH_API_KEY")

    def notice(words: str) -> None:
        tqdm.write(words, file=sys.stderr)

    return Hush(chosen.url, api_key=key, answer_s=chosen.timeout, patience=Patience(tries=chosen.tries), notice=notice)


def check_model(hush: Hush, name: str | None) -> None:
    """Raises `ClientError` where there is no service, and ValueError where it has no such model."""
    models = hush.models()
    known = [model["key"] for model in models]
    if name is not None and name not in known and not any(name in model["labels"] for model in models):
        raise ValueError(f"the service has no model {name!r}; it has {', '.join(known)}")


def run(hush: Hush, work: list[Task], options: Options, chosen: argparse.Namespace) -> "Counter[str]":
    """Does the work, several at a time, with a bar on a terminal; how many came to which end."""
    outcomes: Counter[str] = Counter()
    with ThreadPoolExecutor(chosen.parallel) as pool, tqdm(total=len(work), unit="file", disable=None) as bar:
        running = [pool.submit(one, hush, task, options, chosen.jobs) for task in work]
        try:
            for future in as_completed(running):
                outcome, words = future.result()
                outcomes[outcome] += 1
                bar.update()
                if words:
                    tqdm.write(words, file=sys.stderr)
        except KeyboardInterrupt:
            hush.stop()
            pool.shutdown(cancel_futures=True)
            raise
    return outcomes


def one(hush: Hush, task: Task, options: Options, jobs: bool) -> tuple[str, str]:
    """What became of a recording, and what is to be said of it."""
    try:
        try:
            hush.enhance_file(task.source, task.target, options)
        except Refused as error:
            path = named_by(error)
            if path is None:
                raise
            if not jobs:
                return "failed", f"{task.source}: {error} With --jobs it is handed in as a job."
            enhance_as_job(hush, path, task.source, task.target, options)
    except Stopped:
        return "failed", ""
    except (ClientError, OSError) as error:
        return "failed", f"{task.source}: {error}"
    return "enhanced", ""


if __name__ == "__main__":
    sys.exit(main())
