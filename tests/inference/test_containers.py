"""What is recognised, what is refused, and under which name, before a decoder runs."""

import io
import os
import struct

import numpy as np
import pytest

from inference.containers import identify
from inference.containers.splice import Splice
from inference.errors import EmptyAudio, NotAudio, TruncatedAudio, UnsupportedCodec, UnsupportedShape
from tests.inference.files import ENCODINGS, decoded, encoded, noise, ogg_pages, patched, tones, without_xing

RATE = 16000
WAV = encoded(tones(RATE, RATE, 2), RATE, "WAV", "PCM_16")
RF64 = encoded(tones(RATE, RATE, 2), RATE, "RF64", "PCM_16")
FLAC = encoded(tones(RATE, RATE, 2), RATE, "FLAC", "PCM_16")
VORBIS = encoded(noise(3 * RATE), RATE, "OGG", "VORBIS")
OPUS = encoded(noise(3 * RATE), RATE, "OGG", "OPUS")
MP3 = encoded(noise(3 * RATE), RATE, "MP3", "MPEG_LAYER_III")
ID3 = b"ID3\x04\x00\x00\x00\x00\x01\x05" + bytes(133)


@pytest.mark.parametrize(("container", "subtype", "_"), ENCODINGS)
def test_every_encoding_is_recognised(container: str, subtype: str, _: float) -> None:
    found = identify(io.BytesIO(encoded(tones(4000, RATE), RATE, container, subtype)))
    assert found.name == {"WAVEX": "wav", "RF64": "wav"}.get(container, container.lower())
    assert found.counted


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\0\0\0\x20ftypM4A \0\0\0\0", "M4A"),
        (b"\0\0\0\x1cftypisom\0\0\0\0", "AAC"),
        (b"\xff\xf1\x50\x80\x2e\x7f\xfc", "AAC"),
        (b"ADIF", "AAC"),
        (b"FORM\0\0\1\0AIFFCOMM", "AIFF"),
        (b"FORM\0\0\1\0AIFCCOMM", "AIFF"),
        (b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81", "WebM"),
        (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9", "WMA"),
        (b"#!AMR\n", "AMR"),
        (b"#!AMR-WB\n", "AMR"),
        (b"RIFF\0\1\0\0AVI LIST", "AVI"),
        (b"RIFX\0\0\1\0WAVEfmt ", "RIFX"),
        (b"caff\0\1\0\0desc", "CAF"),
        (b".snd\0\0\0\x18", "AU"),
        (b"\xff\xfd\x90\x64", "layer II"),
    ],
)
def test_other_formats_are_named(head: bytes, name: str) -> None:
    with pytest.raises(UnsupportedCodec, match=name) as caught:
        identify(io.BytesIO(head + bytes(500)))
    assert "FLAC" in str(caught.value)


@pytest.mark.parametrize("container", ["AIFF", "AU", "CAF", "W64"])
def test_what_the_decoder_could_read_but_is_not_on_the_list_is_refused(container: str) -> None:
    with pytest.raises(UnsupportedCodec):
        identify(io.BytesIO(encoded(tones(4000, RATE), RATE, container, "PCM_16")))


@pytest.mark.parametrize(
    "data",
    [
        b"x",
        b"RIFF",
        bytes(5000),
        b"<html><body>413</body></html>",
        np.random.default_rng(0).bytes(5000),
        ID3,
        ID3[:8],
        ID3 * 9 + MP3,
        b"RIFF\0\1\0\0WAVEfmt \x0e\0\0\0\1\0\1\0" + bytes(200),
        b"ID3\x04\0\0\x7f\x7f\x7f\x7f" + bytes(100),
        b"OggS" + bytes(200),
        b"fLaC" + bytes(200),
        b"\xff\xfb\x90\x64",
        b"\xff\xfb\xf0\x64" + bytes(200),
        b"RIFF\0\1\0\0WAVEdata\0\0\0\0",
        b"RIFF\x04\0\0\0WAVE",
    ],
)
def test_garbage_is_not_audio(data: bytes) -> None:
    with pytest.raises(NotAudio):
        decoded(data)


def test_empty_file_has_no_bytes() -> None:
    with pytest.raises(EmptyAudio, match="bytes"):
        identify(io.BytesIO())


@pytest.mark.parametrize("data", [WAV, FLAC, VORBIS, MP3], ids=["wav", "flac", "ogg", "mp3"])
def test_id3_tags_in_front_are_skipped(data: bytes) -> None:
    assert np.array_equal(decoded(ID3 + ID3 + data), decoded(data))


# WAV: sizes and format chunk


@pytest.mark.parametrize(
    ("riff_size", "data_size"),
    [(0xFFFFFFFF, 0xFFFFFFFF), (0, 0), (len(WAV) - 8, 0), (0x7FFFF024, 0x7FFFF000), (0x80000024, 0x80000000)],
    ids=["ffmpeg", "zeros", "data zero", "sox", "arecord"],
)
def test_wav_written_into_a_pipe_reaches_to_the_end(riff_size: int, data_size: int) -> None:
    streamed = patched(patched(WAV, 4, "<I", riff_size), 40, "<I", data_size)
    assert np.array_equal(decoded(streamed), decoded(WAV))


@pytest.mark.parametrize("data_size", [0, 2**63 - 1, 2**64 - 1])
def test_rf64_written_into_a_pipe_reaches_to_the_end(data_size: int) -> None:
    assert np.array_equal(decoded(patched(RF64, 28, "<Q", data_size)), decoded(RF64))


def test_wav_of_no_size_may_begin_with_silence() -> None:
    silent = encoded(np.zeros((RATE, 1), np.float32), RATE, "WAV", "PCM_16")
    assert len(decoded(patched(silent, 40, "<I", 0))) == RATE


def test_wav_samples_before_other_chunks_end_where_they_should() -> None:
    assert len(decoded(WAV + b"LIST\x0a\0\0\0INFOISFT\0\0")) == RATE


def test_wav_with_chunks_before_the_samples() -> None:
    extra = b"JUNK" + struct.pack("<I", 5) + b"abcde\0" + b"bext" + struct.pack("<I", 602) + bytes(602)
    assert np.array_equal(decoded(WAV[:12] + extra + WAV[12:]), decoded(WAV))


@pytest.mark.parametrize("tail", [b"", b"LIST\x04\0\0\0INFO"])
def test_wav_without_samples_is_empty(tail: bytes) -> None:
    with pytest.raises(EmptyAudio, match="samples"):
        decoded(patched(WAV[:44], 40, "<I", 0) + tail)


@pytest.mark.parametrize("keep", [len(WAV) - 1, len(WAV) // 2, 45])
def test_wav_cut_within_the_samples(keep: int) -> None:
    with pytest.raises(TruncatedAudio) as caught:
        identify(io.BytesIO(WAV[:keep]))
    assert (caught.value.promised, caught.value.found) == (len(WAV) - 44, keep - 44)


@pytest.mark.parametrize("keep", [20, 30, 40])
def test_wav_cut_within_the_header(keep: int) -> None:
    with pytest.raises(TruncatedAudio) as caught:
        identify(io.BytesIO(WAV[:keep]))
    assert (caught.value.promised, caught.value.found) == (len(WAV), keep)


def test_rf64_cut() -> None:
    with pytest.raises(TruncatedAudio):
        identify(io.BytesIO(RF64[:-2]))


@pytest.mark.parametrize("tag", [0x0161, 0x0055, 0x00FF, 0x0000], ids=["wma", "mp3", "aac", "none"])
def test_wav_with_another_codec_names_its_tag(tag: int) -> None:
    with pytest.raises(UnsupportedCodec, match=f"0x{tag:04x}"):
        identify(io.BytesIO(patched(WAV, 20, "<H", tag)))


@pytest.mark.parametrize(
    ("offset", "layout", "value", "what"),
    [
        (24, "<I", 0, "sampling rate"),
        (24, "<I", 7999, "sampling rate"),
        (24, "<I", 192001, "sampling rate"),
        (24, "<I", 4_000_000_000, "sampling rate"),
        (22, "<H", 0, "channels"),
        (22, "<H", 9, "channels"),
        (22, "<H", 65535, "channels"),
    ],
)
def test_wav_header_that_lies_about_its_shape(offset: int, layout: str, value: int, what: str) -> None:
    with pytest.raises(UnsupportedShape, match=what) as caught:
        decoded(patched(WAV, offset, layout, value))
    assert caught.value.value == value


@pytest.mark.parametrize("bits", [0, 64, 255])
def test_wav_of_an_impossible_depth(bits: int) -> None:
    with pytest.raises(UnsupportedCodec):
        decoded(patched(WAV, 34, "<H", bits))


def test_wav_of_endless_chunks_is_given_up_soon() -> None:
    with pytest.raises(NotAudio):
        identify(io.BytesIO(b"RIFF\0\0\0\0WAVE" + b"JUNK\0\0\0\0" * 100_000 + WAV[12:]))


# FLAC


@pytest.mark.parametrize("keep", [10, 41, 45, 60])
def test_flac_cut_within_the_header(keep: int) -> None:
    with pytest.raises(TruncatedAudio) as caught:
        identify(io.BytesIO(FLAC[:keep]))
    assert caught.value.found == keep < caught.value.promised


def test_flac_of_rate_zero() -> None:
    with pytest.raises(UnsupportedShape, match="sampling rate"):
        decoded(FLAC[:18] + b"\0\0\x02" + FLAC[21:])


def test_flac_of_endless_metadata_is_given_up_soon() -> None:
    with pytest.raises(NotAudio):
        identify(io.BytesIO(FLAC[:42] + b"\x01\0\0\0" * 100_000 + FLAC[42:]))


# Ogg


@pytest.mark.parametrize("data", [VORBIS, OPUS], ids=["vorbis", "opus"])
def test_ogg_cut_anywhere_within_a_page(data: bytes) -> None:
    ends = np.cumsum([len(page) for page in ogg_pages(data)])
    cuts = [1, 3, 20, 27, 40, len(data) // 2, len(data) - 1, *(ends[:-1] - 1), *(ends[:-1] + 1), *(ends[:-1] + 3)]
    for keep in set(cuts) - {1, 3}:
        with pytest.raises(TruncatedAudio) as caught:
            identify(io.BytesIO(data[:keep]))
        assert caught.value.found == keep < caught.value.promised <= len(data)


@pytest.mark.parametrize("data", [VORBIS, OPUS], ids=["vorbis", "opus"])
def test_ogg_without_the_mark_of_its_end_is_accepted(data: bytes) -> None:
    pages = ogg_pages(data)
    whole, part = decoded(data), decoded(b"".join(pages[:-1]))
    assert 0 < len(part) < len(whole)
    assert np.array_equal(part, whole[: len(part)])


@pytest.mark.parametrize("data", [VORBIS, OPUS], ids=["vorbis", "opus"])
def test_ogg_that_lost_a_page(data: bytes) -> None:
    pages = ogg_pages(data)
    with pytest.raises(TruncatedAudio):
        decoded(b"".join(pages[:3] + pages[4:]))


def test_ogg_with_an_appendix() -> None:
    assert np.array_equal(decoded(VORBIS + b"\0" * 100_000), decoded(VORBIS))


@pytest.mark.parametrize("signature", [b"Speex   ", b"\x7fFLAC\1\0", b"\x80theora"])
def test_ogg_of_another_codec_is_named(signature: bytes) -> None:
    page = ogg_pages(VORBIS)[0]
    with pytest.raises(UnsupportedCodec, match="Ogg"):
        identify(io.BytesIO(page[:28] + signature + page[28 + len(signature) :]))


def test_vorbis_header_that_lies_about_its_shape() -> None:
    with pytest.raises(UnsupportedShape, match="sampling rate"):
        decoded(patched(VORBIS, 28 + 12, "<I", 4_000_000_000))
    with pytest.raises(UnsupportedShape, match="channels"):
        decoded(patched(VORBIS, 28 + 11, "<B", 255))


# MP3


@pytest.mark.parametrize("loudness", [(1.0, 1e-4), (1e-4, 1.0)], ids=["loud first", "loud last"])
def test_mp3_of_variable_bit_rate_without_a_count_is_read_to_its_end(loudness: tuple[float, float]) -> None:
    samples = np.concatenate([noise(4 * RATE, 2) * level for level in loudness])
    mp3 = encoded(samples, RATE, "MP3", "MPEG_LAYER_III", bitrate_mode="VARIABLE", compression_level=0.3)
    uncounted = without_xing(mp3)
    assert not identify(io.BytesIO(uncounted)).counted
    got = decoded(uncounted)
    assert len(samples) <= len(got) <= len(samples) + 4 * 576  # what the encoder adds in front and at the end
    aligned = min((float(np.abs(got[k : k + RATE] - decoded(mp3)[:RATE]).max()), k) for k in (0, 576, 1105))
    assert aligned[0] < 0.05


@pytest.mark.parametrize("rate", [8000, 24000, 44100, 48000])
@pytest.mark.parametrize("channels", [1, 2])
def test_mp3_added_header_fits_every_version(rate: int, channels: int) -> None:
    mp3 = encoded(noise(rate, channels), rate, "MP3", "MPEG_LAYER_III")
    hidden = mp3.replace(b"Xing", b"    ", 1).replace(b"Info", b"    ", 1)  # the header frame becomes a silent one
    assert not identify(io.BytesIO(hidden)).counted
    assert rate <= len(decoded(hidden)) <= rate + 5 * 1152


# Splice


def test_splice_is_one_file() -> None:
    view = Splice(b"head", io.BytesIO(b"0123456789"), 3)
    assert view.read(2) + view.read(10) + view.read(10) + view.read(1) == b"head3456789"
    assert view.seek(0, os.SEEK_END) == 11 == view.tell()
    assert view.read(1) == b""
    assert view.seek(-9, os.SEEK_END) == 2
    assert view.read(2) == b"ad"
    assert view.seek(1, os.SEEK_CUR) == 5
    assert view.read(3) == b"456"
    assert view.seek(-50, os.SEEK_CUR) == 0


def test_splice_beyond_the_end_of_its_file_is_its_head() -> None:
    view = Splice(b"head", io.BytesIO(b"01"), 3)
    assert view.seek(0, os.SEEK_END) == 4
