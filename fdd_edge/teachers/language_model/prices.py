"""What a model's tokens cost: the price in the config, or the one that the package genai-prices knows, offline."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import metadata
from typing import Any, NamedTuple

from fdd_edge.teachers.language_model._spending import Spend
from fdd_edge.teachers.language_model.teacher_options import EndpointOptions, Price

__all__ = ["Quote", "most_of", "price_of"]

_SAMPLE = 1000
"""Tokens that genai-prices is asked about: prices that rise with the length of a prompt begin at the lowest."""

_BYTES_PER_TOKEN = 3
"""Fewer than a token of any known vocabulary has on average, so that a budget sets aside enough."""


class Quote(NamedTuple):
    """A price and where it is from.

    Attributes:
        price: The price.
        source: ``config``, or the version of genai-prices with the provider and the model that it found.
    """

    price: Price
    source: str


def price_of(options: EndpointOptions) -> Quote | None:
    """Return the price of an endpoint's model, or None if nobody knows it; an endpoint on this machine has none."""
    if options.price is not None:
        return Quote(options.price, "config")
    try:
        from genai_prices import Usage, calc_price
    except ImportError:
        return None

    def per_million(usage: Usage) -> float:
        found = calc_price(usage, options.model, provider_api_url=options.address)
        return float(found.total_price) / _SAMPLE * 1_000_000

    try:
        price = Price(
            input=per_million(Usage(input_tokens=_SAMPLE)),
            output=per_million(Usage(output_tokens=_SAMPLE)),
            cached_input=per_million(Usage(input_tokens=_SAMPLE, cache_read_tokens=_SAMPLE)),
        )
        found = calc_price(Usage(), options.model, provider_api_url=options.address)
    except (LookupError, ValueError):
        return None
    version = metadata.version("genai-prices")
    return Quote(price, f"genai-prices {version} ({found.provider.id}/{found.model.id})")


def most_of(body: Mapping[str, Any], quote: Quote | None) -> Spend:
    """Return the most that a call can cost.

    Args:
        body: The whole request.
        quote: The price, if there is one.
    """
    longest = body.get("max_tokens") or body.get("max_completion_tokens") or 0
    text = sum(len(str(message).encode(errors="replace")) for message in body.get("messages", ()))
    tokens = text // _BYTES_PER_TOKEN
    price = None if quote is None else quote.price
    cost = None if price is None else (tokens * price.input + longest * price.output) / 1_000_000
    return Spend(1, tokens + longest, cost)
