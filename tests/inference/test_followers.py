"""Who is known to come back, and how long one waits for it."""

import pytest

from inference.followers import Followers


def passes(followers: Followers, count: int, *, answered: int, after: list[float]) -> float:
    """So many passes of 20 ms, a second apart, each followed by recordings `after` so long; the end of the last."""
    end = 0.0
    for second in range(1, count + 1):
        end = float(second)
        followers.answered(answered, 0.02, end)
        for wait in after:
            followers.arrived(end + wait)
    return end


def test_at_first_nobody_is_expected() -> None:
    followers = Followers()
    followers.answered(4, 0.02, 1.0)
    assert followers.expected_until() == 0


def test_those_who_always_come_back_are_expected_until_they_are_back() -> None:
    followers = Followers()
    passes(followers, 20, answered=2, after=[0.004, 0.009])
    followers.answered(2, 0.02, 30.0)
    assert followers.expected_until() == pytest.approx(30.016)  # half of 20 ms, and 6 ms
    followers.arrived(30.001)
    assert followers.expected_until() == pytest.approx(30.016)
    followers.arrived(30.002)
    assert followers.expected_until() == 0


@pytest.mark.parametrize("after", [[], [0.004], [0.004, 0.017], [0.5, 0.5]])
def test_those_who_come_late_or_not_are_not(after: list[float]) -> None:
    followers = Followers()
    passes(followers, 50, answered=2, after=after)
    followers.answered(2, 0.02, 60.0)
    assert followers.expected_until() == 0


def test_a_change_is_noticed_both_ways() -> None:
    followers = Followers()
    passes(followers, 20, answered=1, after=[0.001])
    passes(followers, 4, answered=1, after=[])
    followers.answered(1, 0.02, 60.0)
    assert followers.expected_until() == 0
    passes(followers, 12, answered=1, after=[0.001])
    followers.answered(1, 0.02, 90.0)
    assert followers.expected_until() > 90


def test_more_than_were_answered_count_no_more_than_all() -> None:
    followers = Followers()
    passes(followers, 20, answered=1, after=[0.001, 0.002, 0.003])
    passes(followers, 3, answered=4, after=[])
    followers.answered(4, 0.02, 60.0)
    assert followers.expected_until() == 0
