"""What a run can end with."""

from __future__ import annotations

import pytest

from symopt.optim import METHODS, Status


@pytest.mark.parametrize("status", Status)
def test_statuses_say_what_happened(status):
    assert status.success is (status.code == 0)
    assert status.message[0].islower()
    assert not status.message.endswith(".")


def test_failures_have_codes_of_their_own():
    codes = [status.code for status in Status if not status.success]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_records_speak_for_their_settings(method):
    assert method.needs is method.optimizer.needs
    assert method.optimizer.max_iter > 0
