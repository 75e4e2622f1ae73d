"""The tree of errors: complete, with sentences for clients and evidence for programs."""

import inspect
import pickle

import pytest

from inference import errors

EXAMPLES = [
    errors.NotAudio(),
    errors.UnsupportedCodec("MP4/M4A (AAC)"),
    errors.TruncatedAudio(16000, 4978),
    errors.EmptyAudio(),
    errors.NonFiniteAudio(7),
    errors.UnsupportedShape("sampling rate", 0, 8000, 192000),
    errors.AudioTooShort(100, 512),
    errors.AudioTooLong(600),
    errors.UnacceptableFormat("mp3", "it has 6 channels, the most are 2"),
    errors.UnknownNoiseType("purple", ("white", "pink")),
    errors.UnknownModel("best", ()),
    errors.StoreError("models/hyperparams.json: there is no such file."),
]


def test_examples_cover_the_tree() -> None:
    classes = {member for _, member in inspect.getmembers(errors, inspect.isclass) if issubclass(member, Exception)}
    assert classes - {errors.HushError, errors.AudioError} == {type(example) for example in EXAMPLES}


def test_tree_drawn_in_the_docstring_is_complete() -> None:
    for example in EXAMPLES:
        assert f"── {type(example).__name__}" in str(errors.__doc__)


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_is_a_sentence_of_the_family(error: errors.HushError) -> None:
    assert isinstance(error, errors.HushError)
    assert str(error)[0].isupper() or str(error).startswith("models")
    assert str(error).endswith(".")


def test_evidence_is_in_attributes() -> None:
    truncated = errors.TruncatedAudio(16000, 4978)
    assert (truncated.promised, truncated.found) == (16000, 4978)
    assert "16000 frames and 4978" in str(truncated)
    assert errors.NonFiniteAudio(7).frame == 7
    assert errors.AudioTooLong(600).seconds_limit == 600
    assert errors.UnknownNoiseType("purple", ["white", "pink"]).known == ("white", "pink")
    assert "white, pink" in str(errors.UnknownNoiseType("purple", ["white", "pink"]))
    assert "none" in str(errors.UnknownModel("best", ()))
    assert "Ogg Opus" in str(errors.UnsupportedCodec("AMR"))


def test_audio_errors_and_others_are_apart() -> None:
    assert isinstance(errors.AudioTooShort(1, 512), errors.AudioError)
    assert not isinstance(errors.UnacceptableFormat("mp3", "why"), errors.AudioError)


def test_store_error_survives_a_process_boundary() -> None:
    assert str(pickle.loads(pickle.dumps(EXAMPLES[-1]))) == str(EXAMPLES[-1])
