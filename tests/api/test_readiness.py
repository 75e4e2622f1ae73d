"""Readiness: what is believed, what is tried, and what a stuck network does."""

import threading
import time
from pathlib import Path

import pytest
import torch

from api.readiness import TRIAL_SECONDS, Readiness
from inference.store import Model, ModelStore


class Gate(torch.nn.Module):
    """A real network behind a gate that tests close; counts its calls."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network
        self.lookahead = network.lookahead
        self.initial_state = network.initial_state
        self.open = threading.Event()
        self.open.set()
        self.calls = 0

    def forward(self, *arguments: object) -> object:
        self.calls += 1
        self.open.wait()
        return self.network(*arguments)


@pytest.fixture
def gate(models: ModelStore) -> Gate:
    return Gate(models.models["lsa"].network)


def readiness(models: ModelStore, gate: Gate, max_age: float, drain_file: Path | None = None) -> Readiness:
    model = Model(models.models["lsa"].info, gate)
    return Readiness(lambda: model, max_age=max_age, drain_file=drain_file)


def test_the_first_question_makes_a_real_pass_and_the_next_does_not(models: ModelStore, gate: Gate):
    state = readiness(models, gate, max_age=60)
    assert state.obstacle() is None
    calls = gate.calls
    assert calls > 0
    assert state.obstacle() is None
    assert gate.calls == calls


def test_a_served_request_counts(models: ModelStore, gate: Gate):
    state = readiness(models, gate, max_age=60)
    state.succeeded()
    assert state.obstacle() is None
    assert gate.calls == 0


def test_an_old_success_is_checked_again(models: ModelStore, gate: Gate):
    state = readiness(models, gate, max_age=0)
    assert state.obstacle() is None
    calls = gate.calls
    time.sleep(0.001)
    assert state.obstacle() is None
    assert gate.calls > calls


def test_a_stuck_network_is_reported_in_time_and_tried_only_once(models: ModelStore, gate: Gate):
    gate.open.clear()
    state = readiness(models, gate, max_age=0)
    answers: list[str | None] = []
    start = time.monotonic()
    threads = [threading.Thread(target=lambda: answers.append(state.obstacle())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - start < TRIAL_SECONDS + 1
    assert answers == ["No forward pass has succeeded within 2 s."] * 4
    assert gate.calls == 1
    gate.open.set()
    assert state.obstacle() is None


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("wrong", ["raises", "nan"])
def test_a_failing_network_is_reported(models: ModelStore, wrong: str):
    class Failing(Gate):
        def forward(self, *arguments: object) -> object:
            if wrong == "raises":
                raise RuntimeError("no")
            estimate, state = self.network(*arguments)
            return estimate * float("nan"), state

    failing = Failing(models.models["lsa"].network)
    state = readiness(models, failing, max_age=60)
    start = time.monotonic()
    assert state.obstacle() is not None
    assert time.monotonic() - start < TRIAL_SECONDS


def test_draining_wins(models: ModelStore, gate: Gate, tmp_path: Path):
    state = readiness(models, gate, max_age=60, drain_file=tmp_path / "drain")
    assert state.obstacle() is None
    (tmp_path / "drain").touch()
    assert state.obstacle() == "The service is being drained."
    (tmp_path / "drain").unlink()
    assert state.obstacle() is None
    state.drain()
    assert state.obstacle() == "The service is being drained."


def test_a_store_without_a_default_can_be_ready(models: ModelStore, make_client, monkeypatch: pytest.MonkeyPatch):
    from dataclasses import replace

    from api.app import create_app
    from api.settings import Settings
    from inference.noise import NoiseLibrary

    model = models.models["lsa"]
    unlabelled = ModelStore({"lsa": Model(replace(model.info, labels=()), model.network)})
    client = create_app(Settings(), unlabelled, NoiseLibrary()).test_client()
    assert client.get("/readyz").status_code == 200
    assert client.post("/predict", data=b"x", content_type="audio/wav").status_code == 404
