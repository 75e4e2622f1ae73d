"""Are the models of a folder those that its index names? `python check_models.py FOLDER`, with status 1 if not.

Reads hyperparams.json and compares the SHA-256 of each file of weights. Standard library only: it runs while an image
is built, before the application is copied. The service checks the same again when it starts.
"""

import hashlib
import json
import sys
from pathlib import Path


def wrong(folder: Path) -> list[str]:
    """A sentence for each model whose weights are missing or are not those of the index."""
    index = json.loads((folder / "hyperparams.json").read_text(encoding="utf-8"))
    found = []
    for key, entry in index.items():
        if entry["weights"] is None:
            continue
        file = folder / entry["weights"]
        if not file.is_file():
            found.append(f"model {key}: there is no {file.name}")
        elif (digest := hashlib.sha256(file.read_bytes()).hexdigest()) != entry["sha256"]:
            found.append(f"model {key}: {file.name} has SHA-256 {digest}, the index says {entry['sha256']}")
    return found


def main(arguments: list[str]) -> int:
    """0 when every model is as its index says."""
    if len(arguments) != 1:
        print("usage: python check_models.py FOLDER", file=sys.stderr)
        return 2
    try:
        found = wrong(Path(arguments[0]))
    except (OSError, ValueError, KeyError) as error:
        found = [f"{arguments[0]}: {type(error).__name__}: {error}"]
    for sentence in found:
        print(f"check_models: {sentence}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
