"""What `make test-fast` leaves out: every test that needs a whole run is marked slow."""

from __future__ import annotations

import pytest

WHOLE_RUNS = {
    "smoke": "conftest.py",
    "one_round": "loop/test_loop_faults.py",
    "two_rounds": "loop/test_loop_faults.py",
    "finished": "loop/test_loop_real.py",
    "home": "hub/test_hub_run.py",
    "transcript": "test_tutorial.py",
}
"""The fixtures that start one and let it finish, and the file of each in tests/."""


def test_every_test_that_needs_a_whole_run_is_marked_slow(request: pytest.FixtureRequest) -> None:
    tests = [item for item in request.session.items if isinstance(item, pytest.Function)]
    assert request.node in tests
    unmarked = [t.nodeid for t in tests if WHOLE_RUNS.keys() & {*t.fixturenames} and not t.get_closest_marker("slow")]
    assert unmarked == []
