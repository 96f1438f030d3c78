"""What is found out about an endpoint before a run begins to train."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from fault_server import error, serve

from fdd_edge.errors import EndpointError, EndpointSetupError
from fdd_edge.teachers.language_model.endpoint_check import check_endpoint
from fdd_edge.teachers.language_model.secret import Secret
from fdd_edge.teachers.language_model.teacher_options import EndpointOptions

KEY = "sk-Test/Key+0123456789abcdef"


def check(url: str, model: str = "tiny", **settings: Any) -> None:
    asyncio.run(check_endpoint(EndpointOptions(url, model, **settings)))


def test_an_endpoint_that_can_be_asked_is_asked_once_for_its_models(caplog: pytest.LogCaptureFixture) -> None:
    with serve(key=KEY) as server:
        check(server.url, api_key=Secret(KEY))
        assert [headers["authorization"] for headers in server.headers] == [f"Bearer {KEY}"]
        assert server.asked == [] and not caplog.records


def test_a_key_that_is_not_accepted() -> None:
    with serve(key="right") as server:
        with pytest.raises(EndpointSetupError, match="does not accept the key in api_key") as caught:
            check(server.url, api_key=Secret(KEY))
        assert KEY not in str(caught.value) and caught.value.exit_code == 2
        with pytest.raises(EndpointSetupError, match="asks for a key"):
            check(server.url)


def test_nobody_is_there() -> None:
    with serve() as server:
        url = server.url
    with pytest.raises(EndpointError, match=r"cannot be reached .* Start it or correct base_url") as caught:
        check(url)
    assert caught.value.exit_code == 6


def test_a_model_that_is_not_listed_may_be_an_alias(caplog: pytest.LogCaptureFixture) -> None:
    with serve() as server:
        check(server.url, "tinny")
    assert "does not list the model 'tinny'" in caplog.text
    assert "Did you mean 'tiny'? It has: tiny, large." in caplog.text


@pytest.mark.parametrize(
    ("served", "warning"),
    [
        (None, ""),
        (error(501, "no such thing"), ""),
        (error(503, "Loading model"), "does not say which models it has (Loading model)"),
        (error(403, "Missing scopes: api.model.read"), "does not say which models it has (Missing scopes"),
    ],
)
def test_an_endpoint_without_a_list(
    served: Any, warning: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.WARNING)
    with serve(models=None) as server:
        if served is not None:
            monkeypatch.setattr(server, "answer", lambda *request: served)
        check(server.url)
    assert warning in caplog.text if warning else not caplog.records
