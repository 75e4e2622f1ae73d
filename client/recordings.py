"""Which recordings there are, and where their answers go."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

EXTENSIONS = (
    ".flac",
    ".mp3",
    ".oga",
    ".ogg",
    ".opus",
    ".wav",
)  # looked for in folders; a file that is named may have any


@dataclass(frozen=True)
class Task:
    """A recording, and the file its answer is written to."""

    source: Path
    target: Path


def tasks(inputs: Iterable[Path], out: Path, extension: str) -> list[Task]:
    """One for each file, and for each recording in a folder, whose tree `out` then mirrors.

    Recordings that differ in their extension only keep it in the name of the answer: `a.mp3.wav`. Raises
    FileNotFoundError for what is not there, ValueError where two answers would still be one file.
    """
    found = [pair for path in inputs for pair in _found(path, out)]
    plain = Counter(out / relative.with_suffix("") for _, relative in found)
    made = []
    for source, relative in found:
        alone = plain[out / relative.with_suffix("")] == 1
        name = (relative.stem if alone else relative.name) + extension
        made.append(Task(source, out / relative.parent / name))
    twice = [str(target) for target, count in Counter(task.target for task in made).items() if count > 1]
    if twice:
        raise ValueError(f"several recordings would be written to {', '.join(sorted(twice))}")
    return made


def _found(path: Path, out: Path) -> list[tuple[Path, Path]]:
    """Recordings, each with its place below the folder it was found in."""
    if path.is_file():
        return [(path, Path(path.name))]
    if not path.is_dir():
        raise FileNotFoundError(f"there is no {path}")
    inside = sorted(item for item in path.rglob("*") if item.suffix.lower() in EXTENSIONS and item.is_file())
    # Answers of an earlier call are no recordings of this one.
    recordings = [item for item in inside if not item.resolve().is_relative_to(out.resolve())]
    if not recordings:
        raise FileNotFoundError(f"there is no recording in {path}; looked for are {', '.join(EXTENSIONS)}")
    return [(item, item.relative_to(path)) for item in recordings]
