import platform
from pathlib import Path

import pytest

from fdd_edge import catalog
from fdd_edge.errors import FddError, TargetError
from fdd_edge.ondevice.protocol import Settings
from fdd_edge.operations.bench import bench_params
from fdd_edge.targets import Profile, load_profile, open_session, resolve_threads
from fdd_edge.targets.diagnostics import require_ready
from fdd_edge.targets.profile import resolve_variables

ASKED = Settings(max_new_tokens=4, sequences=1)

SHIPPED = sorted(catalog.shelf_path("devices/profiles").glob("*.yaml"))


def test_profiles_are_shipped() -> None:
    assert "local" in [path.stem for path in SHIPPED]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_profile_is_valid_and_named_after_its_file(path: Path) -> None:
    profile = load_profile(str(path))
    assert profile.name == path.stem
    assert profile.description


@pytest.mark.parametrize("word", ["cpu", "cuda"])
def test_a_torch_device_is_no_target(word: str) -> None:
    with pytest.raises(
        FddError, match=f"A target is a device profile, and '{word}' is none: this machine's CPU is 'local'"
    ):
        load_profile(word)


def test_an_unknown_name_suggests_the_near_one() -> None:
    with pytest.raises(FddError, match="Did you mean 'local'"):
        load_profile("locl")


def test_all_faults_at_once(tmp_path: Path) -> None:
    path = tmp_path / "board.yaml"
    path.write_text("name: board\nthread: 2\nthreads: 0\ntransport: pigeon\n")
    with pytest.raises(FddError) as error:
        load_profile(str(path))
    message = str(error.value)
    assert "thread: unknown key. Did you mean 'threads'?" in message
    assert "threads: input should be greater than or equal to 1, not 0" in message
    assert "transport: input should be 'local', 'ssh', 'emulated' or 'pool', not 'pigeon'" in message


@pytest.mark.parametrize("content", ["- a\n", "a: [\n", ""])
def test_what_is_no_profile_at_all(tmp_path: Path, content: str) -> None:
    path = tmp_path / "board.yaml"
    path.write_text(content)
    with pytest.raises(FddError, match=r"board\.yaml"):
        load_profile(str(path))


def test_the_profile_goes_before_the_request() -> None:
    assert resolve_threads(Profile(name="board", threads=3), 2) == 3
    assert resolve_threads(Profile(name="board"), 2) == 2
    assert resolve_threads(Profile(name="board"), None) >= 1


def write(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def test_boards_of_a_pool_with_other_threads_are_refused(tmp_path: Path) -> None:
    """Those of the first were taken for all, in silence."""
    write(tmp_path / "a.yaml", "extends: rpi5\nhost: a\n")
    write(tmp_path / "b.yaml", "extends: rpi5\nhost: b\nthreads: 2\n")
    pool = "transport: pool\npool: [./a.yaml, ./b.yaml]\n"
    with pytest.raises(FddError, match="equal threads, not a 4, b 2; give the pool its own"):
        load_profile(write(tmp_path / "pool.yaml", pool))
    assert load_profile(write(tmp_path / "own.yaml", pool + "threads: 3\n")).threads == 3


def test_a_budget_of_ones_own_stands_beside_the_inherited_ones(tmp_path: Path) -> None:
    """It silently dropped them."""
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
        ("transport: ssh\nhost: pi\nthreads: 4\nprocesses: 2\n", "transport ssh runs one on each board"),
        ("transport: emulated\n", "transport emulated needs architecture and cpu"),
        ("transport: emulated\narchitecture: x86_64\ncpu: haswell\n", "aarch64 is what can be emulated, not x86_64"),
        ("transport: pool\n", "transport pool needs pool"),
        ("pool: [local]\n", "pool is for transport pool, not local"),
        ("budgets: {max_ram: 3}\n", "budgets.max_ram: unknown key. Did you mean 'max_rss_mb'"),
        ("extends: rpi55\n", "no target named 'rpi55'. Did you mean 'rpi5'"),
        ("extends: [rpi5]\n", "extends must be the name or path of a profile"),
    ],
)
def test_profiles_with_faults(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(FddError) as error:
        load_profile(write(tmp_path / "mine.yaml", text))
    assert sentence in str(error.value)


def test_a_pool_of_pools_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "inner.yaml", "transport: pool\npool: [local, local]\n")
    with pytest.raises(FddError, match="inner is a pool itself; name its boards"):
        load_profile(write(tmp_path / "outer.yaml", "transport: pool\npool: [./inner.yaml, local]\n"))


def test_paths_of_a_board_may_name_variables(tmp_path: Path) -> None:
    """Only the host's was put in: a folder called ${PI_HOME} was made on the board."""
    mine = load_profile(write(tmp_path / "a.yaml", "extends: rpi5\nhost: pi\nhome: ${PI_HOME}/x\npython: ${PI_PY}\n"))
    told = resolve_variables(mine, {"PI_HOME": "/srv", "PI_PY": "python3.12"})
    assert (told.home, told.python, told.host) == ("/srv/x", "python3.12", "pi")
    with pytest.raises(FddError, match=r"a does not know its home: export PI_HOME=\.\.\., or write a profile"):
        resolve_variables(mine, {"PI_PY": "python3"})


def test_a_port_behind_a_host_is_ssh_s_own_way_of_writing_it(tmp_path: Path) -> None:
    mine = load_profile(write(tmp_path / "a.yaml", "extends: rpi5\nhost: 10.0.0.2:2222\n"))
    with pytest.raises(FddError, match=r"ssh://10\.0\.0\.2:2222"):
        resolve_variables(mine, {})


def test_this_machine_is_not_taken_for_another(tmp_path: Path, tiny_gguf: Path) -> None:
    """A local profile for ARM answered on an x86 machine without a word."""
    other = "aarch64" if platform.machine() == "x86_64" else "x86_64"
    mine = load_profile(write(tmp_path / "a.yaml", f"extends: local\narchitecture: {other}\n"))
    with pytest.raises(TargetError, match=f"its profile is for {other}"), open_session(mine, tiny_gguf, settings=ASKED):
        pass
    with pytest.raises(TargetError, match=f"its profile is for {other}"):
        require_ready(mine, ["gguf"])


def test_what_is_measured_depends_on_what_the_device_is(tmp_path: Path, tiny_gguf: Path) -> None:
    """An edited profile kept the measurements of the board before."""
    path = write(tmp_path / "a.yaml", "extends: rpi5\nhost: a@one\n")
    before = bench_params(path, None, tiny_gguf)
    write(tmp_path / "a.yaml", "extends: rpi4\nhost: b@two\n")
    assert bench_params(path, None, tiny_gguf) != before
