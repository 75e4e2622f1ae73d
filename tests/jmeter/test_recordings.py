"""The recordings are what the rows say of them."""

import csv
from pathlib import Path

import pytest
import soundfile

from jmeter import recordings
from tests.servers import ROOT


def sent() -> list[dict[str, str]]:
    """The rows of all plans that send a file."""
    found: list[dict[str, str]] = []
    for path in (ROOT / "jmeter").glob("*.csv"):
        with path.open(newline="") as file:
            found += [row for row in csv.DictReader(file) if row["file"]]
    return found


def test_every_file_of_the_rows_is_made(made: Path) -> None:
    assert {row["file"] for row in sent()} - {path.name for path in made.iterdir()} == set()


def test_good_recordings_last_as_long_as_the_rows_say(made: Path) -> None:
    expected = {row["file"]: float(row["seconds"]) for row in sent() if row["seconds"]}
    lasting = {name: soundfile.info(made / name).duration for name in expected}
    assert lasting == pytest.approx(expected, abs=0.1)
    assert {name: lasting[name] for name in lasting if name.endswith((".wav", ".flac"))} == {
        name: seconds for name, seconds in expected.items() if name.endswith((".wav", ".flac"))
    }


def test_names_tell_the_channels(made: Path) -> None:
    channels = {path.name: soundfile.info(path).channels for path in made.glob("*_mono.*")}
    stereo = {path.name: soundfile.info(path).channels for path in made.glob("*_stereo.*")}
    assert set(channels.values()) == {1}
    assert set(stereo.values()) == {2}


def test_making_them_again_gives_the_same(made: Path) -> None:
    again = recordings.bad()
    assert {name: (made / name).read_bytes() == content for name, content in again.items()} == dict.fromkeys(
        again, True
    )


def test_the_large_file_takes_no_room(made: Path) -> None:
    large = (made / "too_large.wav").stat()
    assert large.st_size > 256 * 2**20
    assert large.st_blocks * 512 < 2**20
