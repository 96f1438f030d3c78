"""Temperature, clock, throttling and energy, read from folders laid out like Linux's sysfs."""

from __future__ import annotations

from pathlib import Path

import pytest

from fdd_edge.ondevice import device_info
from fdd_edge.ondevice.telemetry import Conditions, Meter


def write_files(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


RASPBERRY_PI = {
    "class/thermal/thermal_zone0/type": "cpu-thermal\n",
    "class/thermal/thermal_zone0/temp": "61800\n",
    "class/thermal/thermal_zone1/type": "battery\n",
    "class/thermal/thermal_zone1/temp": "99000\n",
    "devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "2400000\n",
    "devices/system/cpu/cpu1/cpufreq/scaling_cur_freq": "1800000\n",
    "devices/platform/soc/soc:firmware/get_throttled": "50000\n",
}

PC = {
    "class/thermal/thermal_zone0/type": "x86_pkg_temp\n",
    "class/thermal/thermal_zone0/temp": "45000\n",
    "devices/system/cpu/cpu0/thermal_throttle/package_throttle_count": "7\n",
    "class/powercap/intel-rapl:0/name": "package-0\n",
    "class/powercap/intel-rapl:0/energy_uj": "999000000\n",
    "class/powercap/intel-rapl:0/max_energy_range_uj": "1000000000\n",
    "class/powercap/intel-rapl:0:0/name": "core\n",
    "class/powercap/intel-rapl:0:0/energy_uj": "5\n",
}


def test_a_raspberry_pi_that_was_throttled_long_ago(tmp_path: Path) -> None:
    """The firmware's bits do not show whether it happened again, so the answer is None."""
    assert Meter(write_files(tmp_path, RASPBERRY_PI)).read() == Conditions(61.8, 2100.0, None, None)


@pytest.mark.parametrize("bus", ["soc/soc:firmware", "soc@107c000000/soc@107c000000:firmware"])
def test_a_raspberry_pi_that_was_throttled_in_the_meantime_and_is_cool_again(tmp_path: Path, bus: str) -> None:
    """On a Pi 5 the bus has its address in its name, and used to be overlooked."""
    path = f"devices/platform/{bus}/get_throttled"
    pi = {name: text for name, text in RASPBERRY_PI.items() if "firmware" not in name}
    meter = Meter(write_files(tmp_path, pi | {path: "0"}))
    assert meter.read().throttled is False
    write_files(tmp_path, {path: "60000"})
    assert meter.read().throttled is True


@pytest.mark.parametrize(
    ("word", "slowed"), [("0", False), ("50005", True), ("4", True), ("80008", True), ("80000", None)]
)
def test_what_the_raspberry_pis_firmware_reports_for_now(tmp_path: Path, word: str, slowed: bool | None) -> None:
    write_files(tmp_path, RASPBERRY_PI | {"devices/platform/soc/soc:firmware/get_throttled": word})
    assert Meter(tmp_path).read().throttled is slowed


def test_a_pc_whose_energy_counter_wraps(tmp_path: Path) -> None:
    meter = Meter(write_files(tmp_path, PC))
    write_files(tmp_path, {"class/powercap/intel-rapl:0/energy_uj": "2500000\n"})
    assert meter.read() == Conditions(45.0, None, False, 3.5)
    write_files(tmp_path, {"devices/system/cpu/cpu0/thermal_throttle/package_throttle_count": "8\n"})
    assert meter.read().throttled is True


def test_what_is_not_shown_is_not_guessed(tmp_path: Path) -> None:
    assert Meter(tmp_path).read() == Conditions(None, None, None, None)


def test_an_arm_cpu_is_named_by_its_cores_and_not_by_its_board(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two boards that differed only in their revision could not form a pool, and the CPU had no name."""
    core = "CPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x4\nCPU part\t: 0xd0b\nCPU revision\t: 1\n"
    files = {
        "/proc/cpuinfo": f"processor\t: 0\n{core}\nprocessor\t: 1\n{core}\nRevision\t: c04170\n",
        "/proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0",
    }
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    monkeypatch.setattr(device_info, "_read", lambda path: files.get(path, ""))
    monkeypatch.delenv("QEMU_CPU", raising=False)
    assert (device_info.cpu_model(), device_info.board_model()) == ("Cortex-A76 r4p1", "Raspberry Pi 5 Model B Rev 1.0")
    files["/proc/cpuinfo"] = core.replace("0xd0b", "0xfff")
    assert device_info.cpu_model() == "0x41 part 0xfff r4p1"


def test_an_emulated_cpu_has_none_of_the_machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    monkeypatch.setattr(device_info, "_read", lambda path: "flags : avx2\n" if path == "/proc/cpuinfo" else "")
    monkeypatch.setenv("QEMU_CPU", "cortex-a72")
    assert device_info.cpu_model() == "cortex-a72 in QEMU"
    assert Meter(write_files(tmp_path, PC | RASPBERRY_PI)).read() == Conditions()
