"""The share of the requests that another model answers."""

from pathlib import Path

import pytest
import requests

from api.canary import Canary, ModelChoice, check_canary
from api.environment import SettingsError
from api.settings import Settings
from inference.errors import StoreError
from inference.store import ModelStore, load_store
from tests.api.conftest import Make
from tests.api.recordings import encoded, noise
from tests.inference.model_packages import as_store, package

AUDIO = encoded(noise(0.1))
IDS = [f"request-{number}" for number in range(4000)]


def test_the_setting_is_read():
    assert Settings.from_environment({"HUSH_CANARY": "newer-0.3:2.5%"}).canary == Canary("newer-0.3", 0.025)


@pytest.mark.parametrize("text", ["", "newer", "newer:5", "newer:0%", "newer:101%", ":5%", "a b:5%", "newer:-1%"])
def test_bad_values_stop_the_start(text: str):
    with pytest.raises(SettingsError, match="HUSH_CANARY"):
        Settings.from_environment({"HUSH_CANARY": text})


def test_an_unknown_model_stops_the_start(models: ModelStore):
    with pytest.raises(StoreError, match=r"HUSH_CANARY: .*'nobody'.* Known are"):
        ModelChoice(models, Canary("nobody", 0.5))


@pytest.mark.parametrize("share", [0.05, 0.5, 1.0])
def test_the_share_is_the_one_asked_for(share: float):
    taken = sum(map(Canary("dae", share).takes, IDS))
    assert abs(taken / len(IDS) - share) < 0.02


def test_a_larger_share_keeps_those_it_had():
    """So a client that tries again meets the same model while the share grows."""
    few, many = ({name for name in IDS if Canary("dae", share).takes(name)} for share in (0.05, 0.2))
    assert few < many


def test_requests_that_name_no_model_meet_it_by_their_id(make_client: Make):
    client = make_client(canary=Canary("dae", 0.5))
    canary = Canary("dae", 0.5)

    def answered(name: str, query: str = "") -> str:
        answer = client.post(
            f"/predict{query}", data=AUDIO, content_type="audio/wav", headers={"X-Request-Id": name}, buffered=True
        )
        assert answer.status_code == 200
        return str(answer.headers["X-Model"])

    names = IDS[:8]
    expected = ["dae" if canary.takes(name) else "recurrent" for name in names]
    assert {"dae", "recurrent"} == set(expected)
    assert [answered(name) for name in names] == expected
    assert {answered(name, "?model=production") for name in names} == {"recurrent"}
    assert {answered(name, "?model=lsa") for name in names[:2]} == {"lsa"}


def test_without_the_setting_nothing_changes(server: str):
    answer = requests.post(f"{server}/predict", data=AUDIO, headers={"Content-Type": "audio/wav"}, timeout=30)
    assert answer.headers["X-Model"] == "recurrent"


def test_a_folder_without_the_canary_is_not_taken_over(tmp_path: Path):
    """What a reload asks of the folder before anything changes."""
    older, newer = package("older", seed=2), package("newer", seed=3)
    canary = Canary("newer", 0.5)
    check_canary(canary, load_store(as_store(tmp_path / "both", older, newer)))
    with pytest.raises(StoreError, match="HUSH_CANARY"):
        check_canary(canary, load_store(as_store(tmp_path / "one", older)))
