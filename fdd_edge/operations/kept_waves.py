"""The finished waves of an unfinished evaluation: what its journal holds of them, if it can be used."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from fdd_edge.ondevice.protocol import (
    PROTOCOL,
    Event,
    ProtocolError,
    Settings,
    TargetInfo,
    Wave,
    WaveResult,
    decode_event,
    encode,
)
from fdd_edge.progress import announce
from fdd_edge.runs.journal import Journal
from fdd_edge.targets.wave_check import SeenPrompts, fault_of

__all__ = ["KeptWaves"]


class KeptWaves:
    """The finished waves of an evaluation, here and in the journal, and the device that decoded them."""

    def __init__(self, journal: Journal, waves: Sequence[Wave], settings: Settings, title: str) -> None:
        """Read the journal; what cannot be used is announced, and dropped."""
        self._journal, self._title = journal, title
        self.info, self.finished = _read(journal, {wave.index: wave for wave in waves}, settings, title)
        self.from_before = frozenset(self.finished)
        self._write()

    def describe(self, info: TargetInfo) -> None:
        """Keep what the target says about itself; the last description counts."""
        if info != self.info:
            self._journal.append(encode(info))
            self.info = info

    def add(self, result: WaveResult) -> None:
        """Keep a finished wave."""
        self._journal.append(encode(result))
        self.finished[result.index] = result

    def withdraw(self, waves: Collection[int]) -> None:
        """Drop waves of a device that lied, and those of earlier calls: it may have decoded any of them."""
        if unknown := self.from_before & self.finished.keys():
            n = f"{len(unknown)} finished {'wave' if len(unknown) == 1 else 'waves'} of earlier calls"
            announce(f"{self._title}: {n} may come from that device, so they are decoded again")
        self.from_before = frozenset()
        self.finished = {n: result for n, result in self.finished.items() if n not in unknown and n not in waves}
        self._write()

    def _write(self) -> None:
        if self.info is None:
            self._journal.drop()
        else:
            events: list[Event] = [self.info, *self.finished.values()]
            self._journal.rewrite(map(encode, events))


def _read(
    journal: Journal, waves: Mapping[int, Wave], settings: Settings, title: str
) -> tuple[TargetInfo | None, dict[int, WaveResult]]:
    """Read the finished waves and their device; what cannot be used is announced."""
    info: TargetInfo | None = None
    finished: dict[int, WaveResult] = {}
    seen: SeenPrompts = {}
    for line in journal.read():
        try:
            event = decode_event(line)
        except ProtocolError as error:
            announce(f"{title}: a kept line cannot be used ({error}); what is missing is decoded again")
            continue
        if isinstance(event, TargetInfo) and event.protocol == PROTOCOL:
            info = event
        elif isinstance(event, WaveResult) and info is not None and event.index in waves:
            wave = waves[event.index]
            if (fault := fault_of(event, wave, settings, n_ctx=info.n_ctx_train, seen=seen)) is not None:
                announce(f"{title}: kept wave {event.index} cannot be used ({fault}); it is decoded again")
            else:
                finished[event.index] = event
    return info, finished
