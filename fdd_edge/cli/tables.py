"""What commands print on stdout about one thing: a measurement, a certificate, exported artifacts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.table import Table

from fdd_edge.cli.console import print_labelled, print_lines, print_text
from fdd_edge.cli.rich_table import Name, print_table
from fdd_edge.operations.bench import Measurement
from fdd_edge.parity import Certificate

__all__ = ["NOT_OURS", "print_artifacts", "print_certificate", "print_measurement"]

NOT_OURS = "not made by fdd-edge"
_THROTTLED = {True: "yes; without throttling the board would be faster", False: "no"}


def print_measurement(measured: Measurement) -> None:
    """Print what one file costs on one target."""
    m, device = measured, measured.device
    rows = [
        ("file", f"{m.bytes / 1e6:.1f} MB, {m.recipe or NOT_OURS}"),
        ("load", f"{m.load_seconds:.2f} s"),
        ("first token", f"after {1000 * m.first_token_seconds:.0f} ms"),
        ("prompts", _shown(m.prompt_tokens_per_second, "{:.1f} tokens/s")),
        ("replies", _shown(m.decode_tokens_per_second, "{:.1f} tokens/s, one at a time")),
    ]
    if m.batch_tokens_per_second is not None:
        rows.append(("", f"{m.batch_tokens_per_second:.0f} tokens/s, {m.batch_size} in a batch, including prompts"))
    rows += [
        ("memory", f"{m.peak_rss_bytes / 1e6:.0f} MB at peak"),
        ("energy", _shown(m.joules_per_token, "{:.2f} J per token")),
        ("temperature", _shown(m.temperature_c, "{:.0f} °C at its hottest")),
        ("clock", _shown(m.clock_mhz, "{:.0f} MHz at its slowest")),
        ("throttled", "not measured" if m.throttled is None else _THROTTLED[m.throttled]),
        ("target", f"{m.target}: {device.cpu}, {m.threads} {'thread' if m.threads == 1 else 'threads'}"),
        *([("attention", "flash attention")] if m.flash_attention else []),
        *([("board", device.board)] if device.board else []),
        ("features", " ".join(device.cpu_features)),
        ("runtime", f"{device.runtime} {device.runtime_version}, Python {device.python}"),
        ("build", device.system_info.strip(" |")),
        *(("over budget", sentence) for sentence in m.broken_budgets),
    ]
    if m.emulated:
        rows.append(("emulated", "times and memory are those of the emulator, not of the board"))
    print_labelled(rows, width=12)


def _shown(value: float | None, form: str) -> str:
    return "not measured" if value is None else form.format(value)


def print_certificate(certificate: Certificate, *, items: bool = False) -> None:
    """Print a certificate.

    Args:
        certificate: The certificate.
        items: Whether to print every item even if all passed.
    """
    n, name = certificate.prompts["answered"], certificate.artifact["recipe"]
    compared = f"compared with {certificate.reference['name']} on {n} prompts"
    passed = f"all {len(certificate.items)} items passed"
    print_lines(f"{name}: {compared}, {passed if certificate.passed else 'FAILED'}")
    if certificate.passed and not items:
        return
    rows = []
    for item in certificate.items:
        mark = "ok" if item.passed else "FAILED"
        text = item.summary if item.passed else item.failure_message.split(": ", 1)[1]
        rows.append((f"  {mark:<6} {item.name}", text))
    print_labelled(rows, width=22)


def print_artifacts(cards: Sequence[Mapping[str, Any]]) -> None:
    """Print what an export made."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("recipe", "MB", "bits per weight", "matrices"):
        table.add_column(column, justify="right" if column in ("MB", "bits per weight") else "left")
    for card in cards:
        types = ", ".join(f"{n} {kind}" for kind, n in card["types"].items())
        table.add_row(Name(card["recipe"]), f"{card['bytes'] / 1e6:.1f}", f"{card['bits_per_weight']:.2f}", types)
    print_table(table)
    print_lines(*(str(card["path"]) for card in cards))
    for card in cards:
        for sentence in _fallbacks(card["fallbacks"]):
            print_text(f"{card['recipe']}: {sentence}")


def _fallbacks(fallbacks: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a sentence for every row width that does not fit the requested type."""
    sentences = []
    for row, block in dict.fromkeys((f["row"], f["block"]) for f in fallbacks):
        own = [f for f in fallbacks if (f["row"], f["block"]) == (row, block)]
        n = sum(f["matrices"] for f in own)
        types = ", ".join(dict.fromkeys(f["got"] for f in own))
        matrices = "1 matrix is" if n == 1 else f"{n} matrices are"
        sentences.append(f"{matrices} stored as {types}, because row length {row} is not a multiple of {block}")
    return sentences
