"""What a model's tokens cost: the price in the config, or the one that the package genai-prices knows, offline."""

from __future__ import annotations

from importlib import metadata
from typing import NamedTuple

from fdd_edge.teachers.language_model.teacher_options import EndpointOptions, Price

__all__ = ["Quote", "price_of"]

_SAMPLE = 1000
"""Tokens that genai-prices is asked about: prices that rise with the length of a prompt begin at the lowest."""


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
