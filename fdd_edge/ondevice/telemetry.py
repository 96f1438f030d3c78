"""Under what conditions a device worked: temperature, clock, throttling, energy, where its kernel shows them.

What is not shown is None, never a guess. An emulated CPU has none of them: the kernel would show those of the machine.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from .device_info import is_emulated

__all__ = ["Conditions", "Meter"]

_CPU_ZONE = re.compile(r"cpu|soc|pkg|package|core", re.I)
_PI_THROTTLED = "devices/platform/soc*/soc*:firmware/get_throttled"
"""``soc`` on a Raspberry Pi 4; a Pi 5 puts the address of its bus behind the name."""

_PI_NOW = 0b1111
"""Under-voltage, clock capped, throttled, near the temperature limit: of this moment (Raspberry Pi firmware)."""

_PI_EVER = 16
"""The same four, 16 bits higher: at any time since it was switched on."""


@dataclass(frozen=True)
class Conditions:
    """What the kernel showed over a piece of work.

    Attributes:
        temperature_c: Of the hottest part of the CPU at its end, degrees Celsius.
        clock_mhz: Mean over the cores at its end.
        throttled: Whether the CPU was slowed down for its temperature or its supply.
        joules: Energy the CPU took.
    """

    temperature_c: float | None = None
    clock_mhz: float | None = None
    throttled: bool | None = None
    joules: float | None = None


class Meter:
    """Looks at the device now, and again when it is read."""

    def __init__(self, sys: Path = Path("/sys")) -> None:
        self._sys = sys
        self._blind = is_emulated()
        self._firmware = self._pi_word()
        self._throttles = self._throttle_count()
        self._energy = self._energies()

    def read(self) -> Conditions:
        """Return the conditions since the meter was made."""
        if self._blind:
            return Conditions()
        return Conditions(self._temperature(), self._clock(), self._throttled(), self._joules())

    def _temperature(self) -> float | None:
        zones = self._sys.glob("class/thermal/thermal_zone*")
        found = [_number(zone / "temp") for zone in zones if _CPU_ZONE.search(_text(zone / "type"))]
        return max((milli / 1000 for milli in found if milli is not None), default=None)

    def _clock(self) -> float | None:
        found = [_number(path) for path in self._sys.glob("devices/system/cpu/cpu[0-9]*/cpufreq/scaling_cur_freq")]
        clocks = [kilo / 1000 for kilo in found if kilo is not None]
        return round(fmean(clocks), 1) if clocks else None

    def _throttled(self) -> bool | None:
        before, word = self._firmware, self._pi_word()
        if word is not None and before is not None:
            since = (word & ~before) >> _PI_EVER
            # A bit that was set before says nothing of this work, and would hide that it happened again.
            return True if word & _PI_NOW or since else None if word >> _PI_EVER else False
        now = self._throttle_count()
        return None if now is None or self._throttles is None else now > self._throttles

    def _pi_word(self) -> int | None:
        word = next(filter(None, map(_text, self._sys.glob(_PI_THROTTLED))), None)
        return int(word, 16) if word else None

    def _throttle_count(self) -> int | None:
        """Return how often an x86 CPU has been slowed down for its temperature since it was switched on."""
        found = [_number(p) for p in self._sys.glob("devices/system/cpu/cpu[0-9]*/thermal_throttle/*_throttle_count")]
        counts = [count for count in found if count is not None]
        return sum(counts) if counts else None

    def _joules(self) -> float | None:
        spent = 0.0
        for zone, now in (found := self._energies()).items():
            before = self._energy.get(zone)
            if before is None:
                return None
            around = (_number(zone / "max_energy_range_uj") or 0) if now < before else 0
            spent += (now + around - before) / 1e6
        return round(spent, 3) if found else None

    def _energies(self) -> dict[Path, int]:
        """Return the counters of whole packages, in millionths of a joule (Intel's and AMD's RAPL)."""
        zones = [z for z in self._sys.glob("class/powercap/*-rapl:*") if _text(z / "name").startswith("package")]
        read = {zone: _number(zone / "energy_uj") for zone in zones}
        return {zone: count for zone, count in read.items() if count is not None}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


def _number(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text.lstrip("-").isdigit() else None
