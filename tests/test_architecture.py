"""The rules of docs/architecture.md; the docstring of each test quotes the rule that it keeps."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "fdd_edge"
FILES = sorted(PACKAGE.rglob("*.py"))

ROOMS = (
    "artifacts",
    "curation",
    "data",
    "evaluation",
    "feedback",
    "parity",
    "planning",
    "students",
    "targets",
    "teachers",
)
BASE = {
    "bounded_yaml",
    "cache",
    "catalog",
    "checked_options",
    "errors",
    "event_loop",
    "hub",
    "interrupt",
    "disk_space",
    "distributed",
    "number_words",
    "renames",
    "result_base",
    "parity_bounds",
    "plugins",
    "progress",
    "records",
    "runs",
    "intervals",
    "yaml_errors",
    "safetensors_folder",
    "student_architectures",
    "terminal",
    "visible",
}
SHARED_WITH_BOARDS = {"ondevice"}
EXCEPTIONS = {"parity": {"students", "targets"}}

UPPER_FLOORS = (
    {"resolve"},
    {"operations"},
    {"config"},
    {"config_check", "config_schema"},
    {"config_file"},
    {"pipeline"},
    {"results", "run_result"},
    {"reporting"},
    {"arguments"},
    {"loaded_model"},
    {"api"},
    {"cli"},
)
"""From low to high."""

TORCH = {"torch", "transformers", "peft", "accelerate"}
TORCH_ROOMS = {"students", "parity"}
MODEL_LIBRARIES = TORCH | {
    "gguf",
    "llama_cpp",
    "onnx",
    "onnx_ir",
    "onnxruntime",
    "onnxruntime_genai",
    "optimum",
    "safetensors",
    "tokenizers",
}
HEAVY = {
    "torch",
    "transformers",
    "peft",
    "llama_cpp",
    "onnxruntime",
    "pydantic",
    "yaml",
    "rich",
    "numpy",
    "pyarrow",
    "huggingface_hub",
}


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports_of(path: Path) -> set[str]:
    """Absolute module names a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def rooms_of(path: Path) -> set[str]:
    return {name.split(".")[1] for name in imports_of(path) if name.startswith("fdd_edge.")}


def libraries_of(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imports_of(path)}


def files_of(name: str) -> list[Path]:
    """The files of a room, or of a module at the top."""
    place = PACKAGE / name
    files = sorted(place.rglob("*.py")) if place.is_dir() else [place.with_suffix(".py")]
    assert files
    return files


def place_of(path: Path) -> str:
    """The room that a file belongs to, or the module at the top that it is."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def module_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in FILES}


def test_every_module_has_its_floor() -> None:
    """Imports point one way: cli -> api -> pipeline -> operations, resolve -> rooms -> records, runs -> errors."""
    known = {*ROOMS, *BASE, *SHARED_WITH_BOARDS, *(name for floor in UPPER_FLOORS for name in floor)}
    assert {place_of(path) for path in FILES} - {"__init__", "__main__"} == known


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_knows_only_records_runs_and_errors(room: str) -> None:
    """Rooms do not import each other; `ondevice/` is open to all, and `parity/` uses `students/` and `targets/`."""
    allowed = {room} | BASE | SHARED_WITH_BOARDS | EXCEPTIONS.get(room, set())
    for path in files_of(room):
        assert rooms_of(path) - allowed == set(), path


@pytest.mark.parametrize("low", sorted(BASE))
def test_the_ground_floor_imports_no_room(low: str) -> None:
    """Records, runs and errors are below the rooms and import none of them."""
    for path in files_of(low):
        assert rooms_of(path) <= BASE | {"__version__"}, path


@pytest.mark.parametrize("number", range(len(UPPER_FLOORS)), ids=lambda n: "-".join(sorted(UPPER_FLOORS[n])))
def test_an_upper_floor_imports_no_higher_one(number: int) -> None:
    """Imports point one way; resolve and operations do not import pipeline, config, api or cli."""
    higher = {name for floor in UPPER_FLOORS[number + 1 :] for name in floor}
    for name in UPPER_FLOORS[number]:
        for path in files_of(name):
            assert not rooms_of(path) & higher, path


@pytest.mark.parametrize("path", files_of("operations"), ids=lambda path: path.stem)
def test_operations_never_see_a_run_folder(path: Path) -> None:
    """Operations take files and typed options and write files; they never know a run folder."""
    hidden = {
        "layout",
        "manifest",
        "lock",
        "ArtifactsLayout",
        "RoundLayout",
        "RunLayout",
        "Stages",
        "Manifest",
        "run_lock",
    }
    assert not {
        name for name in imports_of(path) if name.startswith("fdd_edge.runs.") and set(name.split(".")) & hidden
    }


STAGES = [path for path in files_of("pipeline/stages") if path.stem != "__init__"]


@pytest.mark.parametrize("path", STAGES, ids=lambda path: path.stem)
def test_stages_do_not_import_each_other(path: Path) -> None:
    """Stages do not import each other: `pipeline/one_round.py` says which follows which."""
    assert not {name for name in imports_of(path) if name.startswith("fdd_edge.pipeline.stages")}


def outputs_of(path: Path) -> set[str]:
    """The outputs that a file makes: first arguments of `run.stages.ensure`, variables replaced by their values."""
    tree = parse(path)
    values: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            target, value = node.targets[0], node.value
            pairs = (
                zip(target.elts, value.elts, strict=True)
                if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple)
                else [(target, value)]
            )
            values |= {ast.unparse(name): ast.unparse(given) for name, given in pairs}
    calls = [
        ast.unparse(node.args[0])
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("stages.ensure")
    ]
    return {values.get(output, output) for output in calls}


def test_a_stage_is_a_module_with_a_version_and_one_output() -> None:
    """Each stage writes one output: a module has one, no two have the same one, and none is made elsewhere."""
    made = defaultdict(list)
    for path in FILES:
        outputs = outputs_of(path) if path in STAGES or "stages.ensure" in path.read_text(encoding="utf-8") else set()
        assert len(outputs) == (path in STAGES), (path, outputs)
        for output in outputs:
            made[output].append(path.stem)
    assert len(made) == len(STAGES) == 17
    for path in STAGES:
        assert "VERSION" in {ast.unparse(n.targets[0]) for n in parse(path).body if isinstance(n, ast.Assign)}, path


@pytest.mark.parametrize("path", files_of("pipeline"), ids=lambda path: path.stem)
def test_the_pipeline_imports_no_model_library(path: Path) -> None:
    """Pipeline knows the run folder and no model library, nor a module that imports torch."""
    imported = imports_of(path)
    assert not {name.split(".")[0] for name in imported} & MODEL_LIBRARIES
    assert not [name for name in imported if name in MODULES and libraries_of(MODULES[name]) & TORCH]


def test_importing_pipeline_and_operations_loads_no_model_library() -> None:
    """A run is checked before torch is loaded, so importing all of pipeline, operations and resolve loads none."""
    modules = [module_of(path) for name in ("pipeline", "operations", "resolve") for path in files_of(name)]
    lines = [f"import {module}" for module in modules]
    program = "\n".join([*lines, "import sys", f"print(sorted(set(sys.modules) & {MODEL_LIBRARIES!r}))"])
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_only_ondevice_imports_relatively() -> None:
    """`ondevice/` uses relative imports only, because it is packed and sent to a board; everything else none."""
    for path in FILES:
        relative = [n for n in ast.walk(parse(path)) if isinstance(n, ast.ImportFrom) and n.level > 0]
        assert not relative or path.is_relative_to(PACKAGE / "ondevice"), path


def test_only_the_torch_rooms_import_torch() -> None:
    """Only `students/` and `parity/` import torch."""
    for path in FILES:
        if place_of(path) not in TORCH_ROOMS:
            assert not libraries_of(path) & TORCH, path


def test_safetensors_never_load_torch_elsewhere() -> None:
    """Torch stays in its rooms, by any road: opening safetensors as `"pt"` imports it too.

    `safetensors_folder` does so to read bfloat16, which numpy lacks; listing names and shapes never does.
    """
    opened = set()
    for path in FILES:
        if place_of(path) in TORCH_ROOMS:
            continue
        assert not {name for name in imports_of(path) if name.startswith("safetensors.torch")}, path
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.Call):
                given = [*node.args, *(keyword.value for keyword in node.keywords)]
                opened |= {place_of(path) for value in given if isinstance(value, ast.Constant) and value.value == "pt"}
    assert opened == {"safetensors_folder"}


def test_nobody_runs_text_as_code() -> None:
    """A program that a model wrote is interpreted from its AST, never executed."""
    for path in FILES:
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in {"eval", "exec", "compile", "__import__"}, path


def test_only_a_few_modules_know_the_terminal() -> None:
    """Nobody prints past `terminal.py`, which shows control characters as escapes: rich is used at two places.

    `data/` and `solve` read stdin, `cache`, `init` and `solve` ask whether there is somebody to ask, and pages of the
    docs are written as they are.
    """
    found: dict[str, set[str]] = defaultdict(set)
    for path in FILES:
        if place_of(path) in SHARED_WITH_BOARDS:
            continue
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.Attribute) and ast.unparse(node) in {"sys.stdin", "sys.stdout", "sys.stderr"}:
                found[ast.unparse(node)].add(path.stem)
            if isinstance(node, ast.Call) and ast.unparse(node.func).rsplit(".", 1)[-1] in {"print", "Console"}:
                found[ast.unparse(node.func)].add(path.stem)
    assert found.pop("sys.stdin") == {"_content", "cache_", "init_", "solve_"}
    assert found == {
        "Console": {"progress"},
        "sys.stdout": {"commands_page", "config_page", "console", "progress", "rich_table", "terminal"},
        "sys.stderr": {"progress", "terminal"},
        "console.print": {"rich_table"},
    }


def test_no_two_modules_share_a_name() -> None:
    """No two modules of the package share a name, whatever their folder; packages count too.

    A command's module has the command's name and an underscore, `cli/export_.py`, and calls the operation of that name.
    """
    found: dict[str, list[str]] = defaultdict(list)
    for module in MODULES:
        name = module.rsplit(".", 1)[-1]
        if name != "__main__":
            found[name.lstrip("_")].append(module)
    assert {name: modules for name, modules in found.items() if len(modules) > 1} == {}


def names_in_a_run() -> set[str]:
    """The names of files that runs/ spells."""
    constants = (
        node.value
        for name in ("stage_files", "layout")
        for node in ast.walk(parse(PACKAGE / "runs" / f"{name}.py"))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
    return {text for text in constants if " " not in text and Path(text).stem != text and Path(text).suffix}


def test_only_runs_spells_the_names_of_files_in_a_run_folder() -> None:
    """`runs/` is the only place that knows the names of the files that stages write for each other.

    Files inside an artifact or a model have the names of those formats, wherever they are.
    """
    names = names_in_a_run()
    assert {"train.jsonl", "rows.jsonl", "training.json", "manifest.json", "imatrix.gguf"} <= names
    for path in FILES:
        if place_of(path) in {"runs", *SHARED_WITH_BOARDS}:
            continue
        spelled = [
            (node.lineno, node.value)
            for node in ast.walk(parse(path))
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.split("/")[-1] in names
        ]
        built = [
            n for n in ast.walk(parse(path)) if isinstance(n, ast.JoinedStr) and ast.unparse(n).endswith(".jsonl'")
        ]
        assert (spelled, built) == ([], []), path


def renames_in(path: Path) -> list[tuple[int, str]]:
    """Calls that rename or move files, and folders made under a temporary name next to an output.

    ``str.replace`` takes two arguments, ``Path.replace`` one. A temporary folder of the system, which stays where it
    is, is made without ``dir``.
    """
    found = []
    for node in ast.walk(parse(path)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        name, is_os = node.func.attr, isinstance(node.func.value, ast.Name) and node.func.value.id == "os"
        is_path = len(node.args) == 1 and not node.keywords
        moves = ast.unparse(node.func) == "shutil.move"
        beside = ast.unparse(node.func).startswith("tempfile.") and "dir" in {key.arg for key in node.keywords}
        if moves or beside or (name in ("rename", "replace", "renames") and (is_os or is_path)):
            found.append((node.lineno, ast.unparse(node)))
    return found


def test_only_runs_renames() -> None:
    """`runs/` is the only place that builds under a temporary name and renames; `ondevice/` stands alone."""
    for path in FILES:
        if place_of(path) not in {"runs", *SHARED_WITH_BOARDS}:
            assert renames_in(path) == [], path
    assert renames_in(PACKAGE / "runs" / "atomic.py")


def test_extra_holds_only_fields_that_nobody_here_knows() -> None:
    """`Problem.extra` holds "fields this version does not know": only records and the readers of data sets set it."""
    for path in FILES:
        if place_of(path) in {"records", "data", *SHARED_WITH_BOARDS}:
            continue
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.Call) and "ConfigDict" not in ast.unparse(node.func):
                assert "extra" not in {keyword.arg for keyword in node.keywords}, (path, node.lineno)


def top_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that run when a module is imported; those for type checkers only are left out."""
    for statement in body:
        if isinstance(statement, ast.If):
            checked = "TYPE_CHECKING" in ast.unparse(statement.test)
            yield from top_level(statement.orelse if checked else [*statement.body, *statement.orelse])
        elif isinstance(statement, ast.Try):
            handlers = [line for handler in statement.handlers for line in handler.body]
            yield from top_level([*statement.body, *handlers, *statement.orelse, *statement.finalbody])
        elif isinstance(statement, ast.With | ast.ClassDef):
            yield from top_level(statement.body)
        else:
            yield statement


def top_level_imports(path: Path) -> Iterator[str]:
    """The modules of the package that a file imports when it is imported itself."""
    package = module_of(path) if path.name == "__init__.py" else module_of(path).rpartition(".")[0]
    for statement in top_level(parse(path).body):
        if isinstance(statement, ast.Import):
            yield from (alias.name for alias in statement.names if alias.name in MODULES)
        elif isinstance(statement, ast.ImportFrom):
            parts = package.split(".")[: len(package.split(".")) - statement.level + 1] if statement.level else []
            base = ".".join([*parts, *([statement.module] if statement.module else [])])
            named = [f"{base}.{alias.name}" for alias in statement.names]
            yield from (name if name in MODULES else base for name in named if name in MODULES or base in MODULES)


def test_only_one_module_starts_event_loops() -> None:
    """Everything works inside a running event loop: coroutines are run by `event_loop.run_to_end` only."""
    for path in FILES:
        called = {ast.unparse(node) for node in ast.walk(parse(path)) if isinstance(node, ast.Attribute)}
        if place_of(path) != "event_loop":
            assert not called & {"asyncio.run", "asyncio.new_event_loop", "asyncio.Runner"}, path


def test_there_are_no_import_circles() -> None:
    """No module imports itself by way of others, at the top of files."""
    graph = {module: set(top_level_imports(path)) for module, path in MODULES.items()}
    assert "fdd_edge.pipeline.run" in graph["fdd_edge.pipeline.loop"]
    assert "fdd_edge.ondevice.messages" in graph["fdd_edge.ondevice.protocol"]
    order = list(TopologicalSorter(graph).static_order())  # raises CycleError, which names the circle
    assert len(order) == len(MODULES)


@pytest.mark.parametrize("arguments", [["--help"], ["ls"], ["ls", "--help"], ["run", "--help"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    """`fdd-edge --help` and `fdd-edge ls` import no heavy library."""
    program = (
        "import sys\n"
        "from click.testing import CliRunner\n"
        "from fdd_edge.cli import cli\n"
        f"result = CliRunner().invoke(cli, {arguments!r})\n"
        "assert result.exit_code == 0, result.output\n"
        f"print(sorted(set(sys.modules) & {HEAVY!r}))\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
