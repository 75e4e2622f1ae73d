"""Room responses: aligned, split into early and late, repeatable."""

from pathlib import Path

import numpy as np
import pytest

from training.rooms import EARLY_SECONDS, FADE, LENGTH, recorded, room_bank, simulate

EARLY_END = int(EARLY_SECONDS * 16_000) + FADE


def test_a_recorded_response_starts_with_its_direct_sound(material: Path) -> None:
    (room,) = recorded([material / "rir"])
    assert int(np.abs(room.full).argmax()) == 0
    assert room.full[3500] == pytest.approx(room.full[0] * 0.4, rel=1e-3)  # the late echo, 3500 samples later
    assert room.early[0] == room.full[0]
    assert not room.early[EARLY_END:].any()


@pytest.mark.parametrize("seed", range(5))
def test_simulated_rooms_are_normalised_and_decay(seed: int) -> None:
    room = simulate(np.random.default_rng(seed))
    assert room.full.shape == room.early.shape == (LENGTH,)
    assert np.square(room.early).sum() == pytest.approx(1, abs=1e-4)
    assert np.array_equal(room.early[: EARLY_END - FADE], room.full[: EARLY_END - FADE])
    energies = np.square(room.full).reshape(7, -1).sum(axis=1)
    assert energies[0] > 3 * energies[2] > 3 * energies[6]


def test_the_bank_is_repeatable_and_holds_both_kinds(material: Path) -> None:
    first, again = (room_bank([material / "rir"], 4, seed=1) for _ in range(2))
    assert len(first) == 5
    assert all(np.array_equal(a.full, b.full) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0].full, room_bank([], 1, seed=2)[0].full)
