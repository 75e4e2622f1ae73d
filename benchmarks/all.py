"""All benchmarks, one after the other, on a machine that does nothing else: the tables of one run.

Each is its own process with the arguments below; its output goes to the screen, its results to `--results`. One that
fails is reported at the end, and the others go on.

    make bench BENCH=all
    python -m benchmarks.all --only network efficiency --beside "a browser"
"""

import argparse
import subprocess
import sys
import time

from tqdm import tqdm

from benchmarks.results import parser
from tests.servers import ROOT

RUNS = {
    "network": [],
    "efficiency": ["--nginx", "--clips", "1", "5", "30", "300"],
    "peers": [],
    "overload": [],
    "memory": [],
    "long": [],
    "scaling": [],
    "capacity": [],  # of the service times that `efficiency` found
}


def parse() -> argparse.Namespace:
    """The command line."""
    found = parser(__doc__)
    found.add_argument("--only", nargs="+", default=list(RUNS), choices=list(RUNS), help="which (default: all)")
    found.add_argument("--peers-folder", help="environments of the peers, where they are installed already")
    return found.parse_args()


def main() -> None:
    """Runs them; ends with status 1 where one failed."""
    options = parse()
    failed = []
    for name in tqdm(options.only, unit="benchmark"):
        command = [sys.executable, "-m", f"benchmarks.{name}", *RUNS[name]]
        command += ["--results", str(options.results), "--beside", options.beside]
        if name == "peers" and options.peers_folder:
            command += ["--folder", options.peers_folder]
        begun = time.monotonic()
        print(f"\n== {name}", flush=True)
        if subprocess.run(command, cwd=ROOT, check=False).returncode:
            failed.append(name)
        print(f"{name}: {(time.monotonic() - begun) / 60:.1f} min", flush=True)
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
