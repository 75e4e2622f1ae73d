"""Enhance recordings without a server: `python -m inference IN OUT`, files or whole folders.

The same readers, enhancer and writers as behind HTTP, so the same answers and the same errors.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import torch
from tqdm import tqdm

from inference.audio import FORMATS, AudioReader, AudioWriter, Samples
from inference.enhancer import Enhancer, enhance
from inference.errors import HushError
from inference.precision import PRECISIONS
from inference.store import DEFAULT_LABEL, Model, load_store

EXTENSIONS = (".flac", ".mp3", ".oga", ".ogg", ".opus", ".wav")  # of recordings looked for in a folder
MODELS = Path(__file__).resolve().parent.parent / "models"


def main(arguments: list[str] | None = None) -> int:
    """Exit status: 0 all done, 1 some recording failed (the others are done), 2 wrong call or unusable models."""
    options = parser().parse_args(arguments)
    torch.set_num_threads(options.threads)
    try:
        model = load_store(options.models, precision=options.precision).resolve(options.model)
        jobs = list(pairs(options.input, options.output, options.format))
    except (HushError, FileNotFoundError) as error:
        print(f"python -m inference: {error}", file=sys.stderr)
        return 2
    failed = 0
    for source, target in jobs:
        try:
            enhance_file(source, target, model, options)
        except (HushError, OSError) as error:
            failed += 1
            tqdm.write(f"{source}: {error}", file=sys.stderr)
    return 1 if failed else 0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = argparse.ArgumentParser(prog="python -m inference", description="Remove the noise from recordings of speech.")
    p.add_argument("input", type=Path, metavar="IN", help="a recording, or a folder of them (searched recursively)")
    p.add_argument("output", type=Path, metavar="OUT", help="the file to write, or a folder that mirrors IN")
    p.add_argument("--model", default=DEFAULT_LABEL, help="key or label of the model (default: %(default)s)")
    p.add_argument("--models", type=Path, default=MODELS, help="folder of the models (default: the project's)")
    p.add_argument("--format", choices=sorted(FORMATS), help="output format (default: by the name of OUT, else wav)")
    p.add_argument(
        "--sample-rate",
        choices=("source", "model"),
        default="source",
        help="rate of the output: the recording's or the model's (default: %(default)s)",
    )
    p.add_argument(
        "--attenuation-limit-db",
        type=float,
        metavar="X",
        help="remove at most X dB of noise (default: all that the model can)",
    )
    p.add_argument("--precision", choices=PRECISIONS, default="auto", help="of the network (default: %(default)s)")
    p.add_argument("--threads", type=int, default=1, help="CPU threads (default: %(default)s)")
    return p


def pairs(source: Path, target: Path, chosen: str | None) -> Iterator[tuple[Path, Path]]:
    """Which recording is written where; raises FileNotFoundError when there is none."""
    if not source.is_dir():
        if not source.exists():
            raise FileNotFoundError(f"there is no {source}")
        yield source, target / f"{source.stem}.{chosen or 'wav'}" if target.is_dir() else target
        return
    recordings = sorted(path for path in source.rglob("*") if path.suffix.lower() in EXTENSIONS)
    if not recordings:
        raise FileNotFoundError(f"there is no recording in {source}; readable are {', '.join(EXTENSIONS)}")
    for path in recordings:
        yield path, (target / path.relative_to(source)).with_suffix(f".{chosen or 'wav'}")


def enhance_file(source: Path, target: Path, model: Model, options: argparse.Namespace) -> None:
    """Writes beside `target` first and renames when complete: a failure leaves no half-written answer."""
    fmt = FORMATS[options.format or _format_of(target)]
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.partial")
    try:
        with source.open("rb") as file, AudioReader(file) as reader, partial.open("w+b") as output:
            rate = model.info.sampling_rate if options.sample_rate == "model" else reader.rate
            enhancer = Enhancer(
                model,
                rate=reader.rate,
                channels=reader.channels,
                output_rate=rate,
                attenuation_limit_db=options.attenuation_limit_db,
            )
            blocks = enhance(_progress(reader, source.name), enhancer)
            writer = AudioWriter(output, fmt, rate=rate, channels=reader.channels, source_subtype=reader.subtype)
            clipped = _write(blocks, writer)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    if clipped:
        tqdm.write(f"{target}: {clipped} samples beyond full scale were saturated", file=sys.stderr)


def _write(blocks: Iterable[Samples], writer: AudioWriter) -> int:
    for block in blocks:
        writer.write(block)
    writer.close()
    return writer.clipped_samples


def _progress(reader: AudioReader, name: str) -> Iterator[Samples]:
    """The reader's blocks, while a bar in seconds of audio moves on."""
    total = None if reader.frames is None else round(reader.frames / reader.rate, 1)
    with tqdm(total=total, desc=name, unit="s") as bar:
        for block in reader.blocks():
            yield block
            bar.update(round(len(block) / reader.rate, 1))


def _format_of(target: Path) -> str:
    for name, fmt in FORMATS.items():
        if target.suffix.lower() in (f".{name}", fmt.extension):
            return name
    return "wav"


if __name__ == "__main__":
    sys.exit(main())
