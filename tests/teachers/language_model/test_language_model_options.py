"""Options of language models: wrong ones are named in one sentence, prices are found, and no text shows a key."""

from __future__ import annotations

import copy
import json
import pickle
from urllib.parse import quote

import pytest
from pydantic import TypeAdapter, ValidationError

from fdd_edge.checked_options import checked
from fdd_edge.errors import FddError
from fdd_edge.teachers.language_model._calls import Usage
from fdd_edge.teachers.language_model.prices import price_of
from fdd_edge.teachers.language_model.secret import Secret
from fdd_edge.teachers.language_model.teacher_options import EndpointOptions, Price

KEY = "sk-Test/Key+0123456789abcdef"


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("api.openai.com/v1", "must be an address such as"),
        ("ftp://host/v1", "must be an address such as"),
        ("https://host/v1 ", "must be an address such as"),
        ("https://host:port/v1", "is not an address"),
        ("https://host/v1/chat/completions", "has a path too much; leave out /chat/completions: https://host/v1"),
        ("http://localhost:8000/v1/models/", "leave out /models: http://localhost:8000/v1"),
        (f"https://user:{KEY}@host/v1", "is not an address"),
        ("https://user:secret@host/v1", "must not contain a user"),
        (f"https://host/v1?key={KEY}", "must not contain a user"),
        ("http://example.org/v1", "http:// to another machine (example.org)"),
        ("http://127.0.0.1.example.org/v1", "http:// to another machine"),
        ("http://192.168.0.7/v1", "or allow it with insecure: true"),
    ],
)
def test_a_wrong_address_is_named_in_one_sentence(url: str, sentence: str) -> None:
    with pytest.raises(FddError) as raised:
        checked(EndpointOptions, base_url=url, model="m")
    assert sentence in str(raised.value) and "\n" not in str(raised.value) and KEY not in str(raised.value)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    "url", ["https://api.openai.com/v1/", "http://localhost:11434/v1", "http://127.0.0.9/v1", "http://[::1]:80/v1"]
)
def test_an_address_of_this_machine_or_an_encrypted_one_is_fine(url: str) -> None:
    assert checked(EndpointOptions, base_url=url, model="m").address == url.rstrip("/")


def test_an_unencrypted_address_can_be_allowed() -> None:
    assert checked(EndpointOptions, base_url="http://gpu.lan/v1", model="m", insecure=True).is_local is False


@pytest.mark.parametrize(
    ("price", "unit", "than"),
    [
        (2500.0, "a million tokens", "more"),
        (float("inf"), "a million tokens", "more"),
        (0.0000025, "one token", "less"),
        (0.0000004, "one token", "less"),
        (0.0006, "one token", "less"),
    ],
)
def test_a_price_in_another_unit_is_asked_about(price: float, unit: str, than: str) -> None:
    """The price of one token instead of a million once let a budget of 2.00 pay for a million times as much."""
    with pytest.raises(FddError, match=f"is that the price of {unit}.* It is {than} than any model costs"):
        checked(EndpointOptions, base_url="https://h/v1", model="m", price={"input": price, "output": 1})


def test_tokens_may_cost_nothing() -> None:
    assert (
        checked(EndpointOptions, base_url="https://h/v1", model="m", price={"input": 0, "output": 0}).price is not None
    )


def test_options_that_would_break_the_request_are_refused() -> None:
    with pytest.raises(FddError, match="extra_body must not contain stream"):
        checked(EndpointOptions, base_url="https://h/v1", model="m", extra_body={"stream": True})


def test_cached_tokens_have_a_price_of_their_own() -> None:
    usage = Usage(1_000_000, 400_000, 500_000)
    assert Price(2, 8).cost(usage) == 6
    assert Price(2, 8, 0.5).cost(usage) == pytest.approx(1.2 + 0.2 + 4)


def test_prices_are_found_offline_with_their_source() -> None:
    known = price_of(EndpointOptions("https://api.openai.com/v1", "gpt-4o-mini"))
    assert known is not None and (known.price.input, known.price.output) == (0.15, 0.6)
    assert known.source.startswith("genai-prices ") and known.source.endswith(" (openai/gpt-4o-mini)")
    own = price_of(EndpointOptions("https://api.openai.com/v1", "gpt-4o-mini", price=Price(1, 2)))
    assert own is not None and own.source == "config"
    for url, model in (("http://127.0.0.1:8000/v1", "gpt-4o-mini"), ("https://api.openai.com/v1", "nobodys")):
        assert price_of(EndpointOptions(url, model)) is None


def test_a_key_is_shown_by_nothing() -> None:
    secret = checked(EndpointOptions, base_url="https://h/v1", model="m", api_key=f" {KEY}\n").api_key
    assert secret is not None and secret.reveal() == KEY
    options = EndpointOptions("https://h/v1", "m", api_key=secret)
    written = TypeAdapter(EndpointOptions).dump_python(options, mode="json")
    assert written["api_key"] == "***"
    for text in (repr(options), str(secret), f"{secret}", f"{secret!r:>40}", json.dumps(written)):
        assert KEY not in text
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        copy.deepcopy(secret)


@pytest.mark.parametrize("key", ["", "two words", f"{KEY}\n{KEY}", "schlüssel", 12345678, [KEY]])
def test_a_wrong_key_is_refused_without_showing_it(key: object) -> None:
    with pytest.raises(FddError) as raised:
        checked(EndpointOptions, base_url="https://h/v1", model="m", api_key=key)
    assert "api_key: the key" in str(raised.value)
    assert KEY not in str(raised.value) and "12345678" not in str(raised.value)
    with pytest.raises(ValidationError) as error:
        TypeAdapter(EndpointOptions).validate_python({"base_url": "https://h/v1", "model": "m", "api_key": key})
    assert [fault["loc"] for fault in error.value.errors()] == [("api_key",)]


@pytest.mark.parametrize(
    "written",
    [
        KEY,
        KEY.upper(),
        quote(KEY, safe=""),
        quote(quote(KEY, safe=""), safe=""),
        "".join(f"%{ord(character):02x}" for character in KEY),
        "".join(f"\\u{ord(character):04x}" for character in KEY),
        "".join(f"\\\\u{ord(character):04X}" for character in KEY),
        "".join(f"&#{ord(character)};" for character in KEY),
        "".join(f"&#x{ord(character):x};" for character in KEY),
        KEY.replace("/", "\\/"),
        f"{KEY[:10]}\\u{ord(KEY[10]):04x}{KEY[11:]}",
        f"{KEY[:10]}\n{KEY[10:]}",
        f'{KEY[:10]}" "{KEY[10:]}',
        f"{KEY[:10]}\u200b{KEY[10:]}",
        KEY[:12],
        KEY[-9:],
    ],
)
def test_a_key_is_hidden_however_it_is_written(written: str) -> None:
    assert Secret(KEY).scrub(f"The key <{written}> is wrong") == "The key <***> is wrong"


def test_other_texts_stay_as_they_are() -> None:
    text = "İ The model\\n 'tiny' does not exist: 100 % of it, &#65; \\u0041 sk-Test"
    assert Secret(KEY).scrub(text) == text


@pytest.mark.parametrize(
    "extra", [{"api_key": KEY}, {"provider": [{"auth-token": KEY}]}, {"x": {"Authorization": KEY}}]
)
def test_a_key_in_extra_body_is_refused(extra: dict[str, object]) -> None:
    """Requests are written to the ledger as they are, and the key with them."""
    with pytest.raises(
        FddError, match=r"extra_body must not hold a key \(.*\), because requests are written"
    ) as raised:
        checked(EndpointOptions, base_url="https://host/v1", model="m", extra_body=extra)
    assert KEY not in str(raised.value)


def test_limits_of_tokens_in_extra_body_are_not_keys() -> None:
    extra = {"max_completion_tokens": 5, "reasoning_effort": "low", "stop_token_ids": [1]}
    assert checked(EndpointOptions, base_url="https://host/v1", model="m", extra_body=extra).extra_body == extra
