"""Does this machine enhance? `python -m packer.instance.check_service URL RECORDING.wav MODELS_FOLDER`.

Through nginx, as a client would: every model of the folder is listed with the hash of its file and gives back a
recording of exactly the same frames, rate and channels; the default does; garbage is refused with 400. Standard library
only. Exit status 1 and a sentence at the first thing that is wrong. The bake runs it, and anybody on an instance may.
"""

import hashlib
import io
import json
import sys
import urllib.error
import urllib.request
import wave
from pathlib import Path
from typing import Any

Shape = tuple[int, int, int]


class Wrong(Exception):
    """Something does not work; the text says what."""


def post(url: str, body: bytes) -> tuple[int, bytes]:
    """Status and body of the answer to a bare recording."""
    request = urllib.request.Request(url, data=body, headers={"Content-Type": "audio/wav"}, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def shape(recording: bytes) -> Shape:
    """Frames, rate and channels of a WAV."""
    with wave.open(io.BytesIO(recording)) as file:
        return file.getnframes(), file.getframerate(), file.getnchannels()


def enhance(url: str, recording: bytes) -> None:
    """Raises Wrong unless `url` gives back a recording of the same shape, and not the same samples."""
    status, answer = post(url, recording)
    if status != 200:
        raise Wrong(f"POST {url} answers {status}: {answer[:300].decode(errors='replace')}")
    if shape(answer) != shape(recording):
        raise Wrong(f"POST {url} gives {shape(answer)} for a recording of {shape(recording)}")
    if answer == recording:
        raise Wrong(f"POST {url} gives the recording back unchanged")


def check_hashes(listed: dict[str, Any], folder: Path) -> None:
    """Raises Wrong unless the service lists every model of the folder with the hash of the file that is there."""
    index = json.loads((folder / "hyperparams.json").read_text(encoding="utf-8"))
    if sorted(listed) != sorted(index):
        raise Wrong(f"the service lists {sorted(listed)}, the folder holds {sorted(index)}")
    for key, entry in index.items():
        if entry["weights"] is None:
            continue
        found = hashlib.sha256((folder / entry["weights"]).read_bytes()).hexdigest()
        if not found == entry["sha256"] == listed[key]["sha256"]:
            raise Wrong(f"model {key}: file {found}, index {entry['sha256']}, service {listed[key]['sha256']}")


def check(url: str, recording: bytes, folder: Path) -> list[str]:
    """Checks everything and gives the keys of the models that were tried; raises Wrong."""
    with urllib.request.urlopen(f"{url}/models", timeout=30) as answer:
        listed = {model["key"]: model for model in json.load(answer)["available_models"]}
    check_hashes(listed, folder)
    for key in listed:
        enhance(f"{url}/predict?model={key}", recording)
    enhance(f"{url}/predict", recording)
    status, _ = post(f"{url}/predict", b"this is no audio" * 100)
    if status not in (400, 415):
        raise Wrong(f"garbage is answered {status}")
    return sorted(listed)


def main(arguments: list[str]) -> int:
    """0 when everything works."""
    if len(arguments) != 3:
        print("usage: python -m packer.instance.check_service URL RECORDING.wav MODELS_FOLDER", file=sys.stderr)
        return 2
    url, recording, folder = arguments[0], Path(arguments[1]), Path(arguments[2])
    try:
        models = check(url, recording.read_bytes(), folder)
    except (Wrong, OSError) as error:
        print(f"check_service: {error}", file=sys.stderr)
        return 1
    print(f"check_service: {', '.join(models)} enhance {recording.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
