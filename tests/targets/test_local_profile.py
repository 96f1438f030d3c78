import platform
from dataclasses import replace
from pathlib import Path

import pytest

from fdd_edge import catalog
from fdd_edge.errors import FddError, TargetError
from fdd_edge.ondevice.families import GGUF, RUNTIMES
from fdd_edge.ondevice.protocol import Decoding, Settings
from fdd_edge.targets import (
    RUNTIME_VERSIONS,
    Profile,
    TargetRuntime,
    device_facts,
    load_profile,
    open_session,
    resolve_threads,
)
from fdd_edge.targets.diagnostics import check_target, require_ready
from fdd_edge.targets.profile import resolve_variables
from fdd_edge.targets.runtime_wheel import other_requirements
from fdd_edge.targets.sysroot import site_folder

ASKED = Settings(Decoding(4, batch_size=1, threads=1))

SHIPPED = sorted(catalog.shelf_path("devices/profiles").glob("*.yaml"))


def test_profiles_are_shipped() -> None:
    assert "local" in [path.stem for path in SHIPPED]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_profile_is_valid_and_named_after_its_file(path: Path) -> None:
    profile = load_profile(str(path))
    assert profile.name == path.stem
    assert profile.description


@pytest.mark.parametrize("word", ["cpu", "cuda"])
def test_a_torch_device_is_not_a_target(word: str) -> None:
    with pytest.raises(FddError, match=f"There is no target '{word}'. For this machine's CPU use the target 'local'"):
        load_profile(word)


def test_an_unknown_name_suggests_the_near_one() -> None:
    with pytest.raises(FddError, match="Did you mean 'local'"):
        load_profile("locl")


def test_all_errors_are_listed_at_once(tmp_path: Path) -> None:
    path = tmp_path / "board.yaml"
    path.write_text("name: board\nthread: 2\nthreads: 0\ntransport: pigeon\n")
    with pytest.raises(FddError) as error:
        load_profile(str(path))
    message = str(error.value)
    assert "thread: unknown key. Did you mean 'threads'?" in message
    assert "threads: must be at least 1, not 0" in message
    assert "transport: must be 'local', 'ssh', 'emulated' or 'pool', not 'pigeon'" in message


@pytest.mark.parametrize("content", ["- a\n", "a: [\n", ""])
def test_files_that_are_not_profiles(tmp_path: Path, content: str) -> None:
    path = tmp_path / "board.yaml"
    path.write_text(content)
    with pytest.raises(FddError, match=r"board\.yaml"):
        load_profile(str(path))


def test_the_profile_takes_precedence_over_the_request() -> None:
    assert resolve_threads(Profile(name="board", threads=3), 2) == 3
    assert resolve_threads(Profile(name="board"), 2) == 2
    assert resolve_threads(Profile(name="board"), None) >= 1


def test_results_depend_on_the_target_and_its_runtime() -> None:
    local = TargetRuntime(Profile(name="mine"), "gguf")
    assert list(local.fingerprint()) == ["target", "runtime"]
    assert local.threads(2) == 2
    board = TargetRuntime(load_profile("rpi5"), "onnx")
    assert board.fingerprint() == {
        "target": "rpi5",
        "runtime": RUNTIME_VERSIONS["onnxruntime"],
        "device": device_facts(board.profile),
    }
    assert board.threads(2) == board.profile.threads == 4


def write(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def test_boards_of_a_pool_with_other_threads_are_refused(tmp_path: Path) -> None:
    """The threads of the first board used to be taken for all, silently."""
    write(tmp_path / "a.yaml", "extends: rpi5\nhost: a\n")
    write(tmp_path / "b.yaml", "extends: rpi5\nhost: b\nthreads: 2\n")
    pool = "transport: pool\npool: [./a.yaml, ./b.yaml]\n"
    with pytest.raises(FddError, match=r"same threads \(a 4, b 2\)\. Set threads in the pool"):
        load_profile(write(tmp_path / "pool.yaml", pool))
    assert load_profile(write(tmp_path / "own.yaml", pool + "threads: 3\n")).threads == 3


def test_budgets_are_merged_with_the_inherited_ones(tmp_path: Path) -> None:
    """The inherited ones used to be dropped silently."""
    inherited = load_profile("rpi5").budgets
    mine = load_profile(write(tmp_path / "fast.yaml", "extends: rpi5\nbudgets: {min_tokens_per_s: 5}\n")).budgets
    assert (mine.max_rss_mb, mine.min_tokens_per_s) == (inherited.max_rss_mb, 5)
    none = load_profile(write(tmp_path / "none.yaml", "extends: rpi5\nbudgets: {}\n")).budgets
    assert none.max_rss_mb is None


def test_a_profile_extends_another_and_keeps_its_own_name(tmp_path: Path) -> None:
    mine = load_profile(write(tmp_path / "desk.yaml", "extends: rpi5\nhost: pi@desk\nthreads: 2\n"))
    assert (mine.name, mine.description, mine.host, mine.threads) == ("desk", "", "pi@desk", 2)
    assert (mine.cpu, mine.transport) == ("cortex-a76", "ssh")
    write(tmp_path / "other.yaml", "extends: ./desk.yaml\nthreads: 1\n")
    other = load_profile(str(tmp_path / "other.yaml"))
    assert (other.host, other.threads) == ("pi@desk", 1)


def test_profiles_that_lead_in_a_circle(tmp_path: Path) -> None:
    write(tmp_path / "a.yaml", "extends: ./b.yaml\n")
    write(tmp_path / "b.yaml", "extends: ./a.yaml\n")
    with pytest.raises(FddError, match="extends leads back to"):
        load_profile(str(tmp_path / "a.yaml"))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("transport: ssh\n", "transport ssh needs host and threads"),
        ("transport: ssh\nhost: pi\nthreads: 4\nprocesses: 2\n", "transport ssh runs one runner per board"),
        ("transport: emulated\n", "transport emulated needs architecture and cpu"),
        ("transport: emulated\narchitecture: x86_64\ncpu: haswell\n", "only aarch64 can be emulated, not x86_64"),
        ("transport: pool\n", "transport pool needs pool"),
        ("pool: [local]\n", "pool needs transport: pool, not local"),
        ("budgets: {max_size_mb: 0}\n", "budgets.max_size_mb: must be greater than 0, not 0"),
        ("budgets: {max_ram: 3}\n", "budgets.max_ram: unknown key. Did you mean 'max_rss_mb'"),
        ("extends: rpi55\n", "no target named 'rpi55'. Did you mean 'rpi5'"),
        ("extends: [rpi5]\n", "extends must be the name or path of a profile"),
    ],
)
def test_profiles_with_errors(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(FddError) as error:
        load_profile(write(tmp_path / "mine.yaml", text))
    assert sentence in str(error.value)


def test_a_pool_of_pools_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "inner.yaml", "transport: pool\npool: [local, local]\n")
    with pytest.raises(FddError, match=r"inner is itself a pool\. List its boards"):
        load_profile(write(tmp_path / "outer.yaml", "transport: pool\npool: [./inner.yaml, local]\n"))


def test_paths_of_a_board_may_name_variables(tmp_path: Path) -> None:
    """Only the host's used to be replaced: a folder called ${PI_HOME} was created on the board."""
    mine = load_profile(write(tmp_path / "a.yaml", "extends: rpi5\nhost: pi\nhome: ${PI_HOME}/x\npython: ${PI_PY}\n"))
    resolved = resolve_variables(mine, {"PI_HOME": "/srv", "PI_PY": "python3.12"})
    assert (resolved.home, resolved.python, resolved.host) == ("/srv/x", "python3.12", "pi")
    with pytest.raises(
        FddError, match=r"a has no home. Set PI_HOME=\.\.\. in the environment, or write your own profile"
    ):
        resolve_variables(mine, {"PI_PY": "python3"})


def test_a_port_after_a_host_is_refused_with_the_right_form(tmp_path: Path) -> None:
    mine = load_profile(write(tmp_path / "a.yaml", "extends: rpi5\nhost: 10.0.0.2:2222\n"))
    with pytest.raises(FddError, match=r"ssh://10\.0\.0\.2:2222"):
        resolve_variables(mine, {})


def test_this_machine_is_not_taken_for_another(tmp_path: Path, tiny_gguf: Path) -> None:
    """A local profile for ARM used to answer on an x86 machine."""
    other = "aarch64" if platform.machine() == "x86_64" else "x86_64"
    mine = load_profile(write(tmp_path / "a.yaml", f"extends: local\narchitecture: {other}\n"))
    with pytest.raises(TargetError, match=f"its profile is for {other}"), open_session(mine, tiny_gguf, settings=ASKED):
        pass
    with pytest.raises(TargetError, match=f"its profile is for {other}"):
        require_ready(mine, ["gguf"])


def test_what_is_measured_depends_on_what_the_device_is(tmp_path: Path) -> None:
    """An edited profile used to keep the measurements of the previous board."""
    path = write(tmp_path / "a.yaml", "extends: rpi5\nhost: a@one\n")
    before = TargetRuntime(load_profile(path), "gguf").fingerprint()
    write(tmp_path / "a.yaml", "extends: rpi4\nhost: b@two\n")
    assert TargetRuntime(load_profile(path), "gguf").fingerprint() != before


def test_a_runtime_is_known_from_its_entry_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names of packages and extras were repeated in seven files, and any new runtime was sent to the extra `onnx`."""
    family = replace(GGUF, name="nova", recipe_family="nova", packages=("nova-rt", "nova-text"), extra="nova-extra")
    monkeypatch.setitem(RUNTIMES, "nova-rt", family)
    for package in family.packages:
        monkeypatch.setitem(RUNTIME_VERSIONS, package, "1.2")
    profile = load_profile(write(tmp_path / "mine.yaml", "runtimes: [llama-cpp-python, nova-rt]\n"))
    checks = {check.what: check for check in check_target(profile)}
    for package in family.packages:
        assert (checks[package].found, checks[package].fix) == ("not installed", "pip install 'fdd-edge[nova-extra]'")
    board = load_profile("rpi5").model_copy(update={"runtimes": ("onnxruntime", "nova-rt")})
    assert other_requirements(board) == [
        *(f"{package}=={RUNTIME_VERSIONS[package]}" for package in ("onnxruntime", "tokenizers")),
        *("nova-rt==1.2", "nova-text==1.2"),
    ]
    assert site_folder(board).name.endswith(f"-site-onnx-{RUNTIME_VERSIONS['onnxruntime']}-nova-1.2")


def test_an_unknown_runtime_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FddError, match=r"runtimes\.1: must be 'llama-cpp-python' or 'onnxruntime', not 'tflite'"):
        load_profile(write(tmp_path / "mine.yaml", "runtimes: [onnxruntime, tflite]\n"))
