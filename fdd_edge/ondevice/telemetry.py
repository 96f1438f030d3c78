"""Measure the conditions under which a device works: temperature, clock, throttling and energy.

What the kernel does not show is None, never a guess. On an emulated CPU everything is None, because the kernel shows
the conditions of the machine.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

from .device_info import is_emulated
from .field_types import bounds

__all__ = ["Conditions", "Meter"]

_CPU_ZONE = re.compile(r"cpu|soc|pkg|package|core", re.I)
_PI_THROTTLED = "devices/platform/soc*/soc*:firmware/get_throttled"
"""``soc`` on a Raspberry Pi 4; on a Pi 5 the bus address is appended to the name."""

_PI_NOW = 0b1111
"""Bits of the Raspberry Pi firmware for now: under-voltage, clock capped, throttled, near the temperature limit."""

_PI_EVER = 16
"""The same four bits are set 16 places higher if it has happened at any time since power-on."""


@dataclass(frozen=True)
class Conditions:
    """What the kernel showed while some work was done.

    Attributes:
        temperature_c: Temperature of the hottest part of the CPU at the end, in degrees Celsius.
        clock_mhz: Clock at the end, averaged over the cores.
        throttled: Whether the CPU was slowed down because of its temperature or power supply.
        joules: Energy that the CPU used.
    """

    temperature_c: float | None = field(default=None, metadata=bounds(ge=-300, le=10_000))
    clock_mhz: float | None = field(default=None, metadata=bounds(ge=0, le=1e6))
    throttled: bool | None = None
    joules: float | None = field(default=None, metadata=bounds(ge=0, le=1e12))


class Meter:
    """Reads the device's sensors when it is created, and again in ``read``."""

    def __init__(self, sys: Path = Path("/sys")) -> None:
        self._sys = sys
        self._emulated = is_emulated()
        self._firmware = self._pi_word()
        self._throttles = self._throttle_count()
        self._energy = self._energies()

    def read(self) -> Conditions:
        """Return the conditions since the meter was created."""
        if self._emulated:
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
            # A bit that was set before hides whether it happened again.
            return True if word & _PI_NOW or since else None if word >> _PI_EVER else False
        now = self._throttle_count()
        return None if now is None or self._throttles is None else now > self._throttles

    def _pi_word(self) -> int | None:
        word = next(filter(None, map(_text, self._sys.glob(_PI_THROTTLED))), None)
        return int(word, 16) if word else None

    def _throttle_count(self) -> int | None:
        """Return how often an x86 CPU has been throttled for its temperature since power-on."""
        found = [_number(p) for p in self._sys.glob("devices/system/cpu/cpu[0-9]*/thermal_throttle/*_throttle_count")]
        counts = [count for count in found if count is not None]
        return sum(counts) if counts else None

    def _joules(self) -> float | None:
        spent = 0.0
        for zone, now in (found := self._energies()).items():
            before = self._energy.get(zone)
            if before is None:
                return None
            most = _number(zone / "max_energy_range_uj") or 0
            if (used := now - before if now >= before else now + most - before) < 0:
                return None  # the counter began again, and where it ends is not shown
            spent += used / 1e6
        return round(spent, 3) if found else None

    def _energies(self) -> dict[Path, int]:
        """Return the energy counters of CPU packages, in microjoules (RAPL of Intel and AMD)."""
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
