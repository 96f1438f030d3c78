"""The runner's commands: ``solve`` and ``info`` for people, ``serve``, ``setup`` and ``clean`` for the host."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from . import device_info
from .board_store import BoardDir, clean
from .families import RUNTIMES, device_family
from .host_watch import end_with_host
from .judging import explain
from .model_files import model_in
from .protocol import Decoding, RunnerError, Settings, Task, Wave
from .runtime_versions import RUNTIME_VERSIONS
from .serve import load, serve, take_stdout
from .shared_cores import spin_briefly
from .venv_setup import install_runtime

__all__ = ["PLAIN", "main"]

PLAIN = "Question: {question}\nProgram:\n"
"""The template that ``--prompt plain`` stands for; the same text as configs/prompts/plain.txt."""

_DESCRIPTION = """\
Runs a small math model on this device. The model answers a word problem with a
short program, which the runner interprets to get the answer; it never executes
the program as Python code."""

_NEEDS = "; ".join(
    f"{family.recipe_family.upper()} models need {' and '.join(family.packages)}" for family in RUNTIMES.values()
)

_EXAMPLE = f"""\
example:
  python3 runner.pyz solve model.gguf "Tom has 3 bags of 4 apples. How many apples does he have?"

{_NEEDS}.
Exit codes of solve: 0 there is an answer; 1 the reply gives none; 2 an error."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit code."""
    if sys.stderr is None:  # it is closed, and libraries print to its number all the same
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  # for good
    spin_briefly()
    options = _parser().parse_args(arguments)
    if options.command == "serve":
        return _serve(options)
    if options.command == "info":
        sys.stdout.write(json.dumps(asdict(device_info.describe_device())) + "\n")
        return 0
    if options.command == "clean":
        return _print_result(lambda: {"bytes": clean(options.home)})
    if options.command == "setup":
        return _print_result(
            lambda: {"python": install_runtime(options.home, options.requirement, options.cmake_args, options.also)}
        )
    options.model = model_in(options.model)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Python would wait until the runtime returns
    try:
        return _solve(options)
    except RunnerError as error:
        sys.stderr.write(f"{_shown(str(error))}\n")
        if error.kind == "runtime_missing":
            sys.stderr.write(_how_to_install(options.model))
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="runner.pyz",
        description=_DESCRIPTION,
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, help: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=help, description=f"{help[0].upper()}{help[1:]}.")

    _add_solve(add("solve", "answer one question"))
    add("info", "print this device's CPU, Python and installed runtimes as JSON")
    serving = add("serve", "serve requests from fdd-edge on another machine (JSON lines on stdin and stdout)")
    serving.add_argument("--home", type=Path, metavar="DIR", help="folder for the lock and for finished waves")
    serving.add_argument(
        "--lock-timeout", type=float, default=0.0, metavar="SECONDS",
        help="how long to wait if another runner is using the folder (default: %(default)g)",
    )  # fmt: skip
    serving.add_argument(
        "--host-timeout", type=float, default=60.0, metavar="SECONDS",
        help="exit after this many seconds without a message from the host (default: %(default)g)",
    )  # fmt: skip
    setting_up = add("setup", "install a runtime into a virtual environment in a folder")
    setting_up.add_argument("--home", type=Path, required=True, metavar="DIR", help="the folder")
    setting_up.add_argument(
        "--requirement", required=True,
        help=f"the runtime, such as llama-cpp-python=={RUNTIME_VERSIONS['llama-cpp-python']}",
    )  # fmt: skip
    setting_up.add_argument(
        "--also", action="append", default=[], metavar="REQUIREMENT",
        help="another package, installed without its dependencies; repeatable",
    )  # fmt: skip
    setting_up.add_argument(
        "--cmake-args", metavar="OPTIONS",
        help="compile the runtime here with these CMake options (default: install from wheels in the folder)",
    )  # fmt: skip
    cleaning = add("clean", "delete the models, runners and finished waves in a folder; the runtime stays")
    cleaning.add_argument("--home", type=Path, required=True, metavar="DIR", help="the folder")
    return parser


def _add_solve(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help="a GGUF file, an ONNX graph (model.onnx), or a folder that contains either")
    parser.add_argument("question", help="the word problem, in quotes")
    parser.add_argument(
        "--prompt",
        help="chat (the model's chat template), plain, a text that contains {question}, or a file with such a text "
        "(default: the prompt stored in the model)",
    )
    parser.add_argument(
        "--max-new-tokens", type=_count, default=Decoding.max_new_tokens, metavar="N",
        help="maximum number of tokens in the reply (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--threads", type=_count, default=device_info.physical_cores(), metavar="N",
        help="number of threads (default: one per physical core, here %(default)s)",
    )  # fmt: skip


def _count(text: str) -> int:
    """Return a number that is at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more, not {text}")
    return int(text)


def _serve(options: argparse.Namespace) -> int:
    """Serve a host until it is done, or until it is gone."""
    out = take_stdout()
    end_with_host(out)
    if options.home is None:
        return serve(sys.stdin, out)
    code = serve(sys.stdin, out, BoardDir(options.home, options.lock_timeout, options.host_timeout))
    os._exit(code)  # a thread is still reading stdin, and Python would wait for it


def _template(prompt: str | None) -> str | None:
    """Return the template that ``--prompt`` names: a text, a file with it, or one of the words."""
    if prompt == "plain":
        return PLAIN
    path = Path(prompt or "")
    if prompt is None or "{question}" in prompt or not path.is_file():
        return prompt
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RunnerError("bad_request", f"{path} cannot be read: {error}.") from None


def _print_result(run: Callable[[], dict[str, int | str]]) -> int:
    """Print the result of a function, or why it failed, as JSON."""
    try:
        result = run()
    except RunnerError as error:
        result = {"message": str(error)}
    sys.stdout.write(json.dumps(result) + "\n")
    return 2 if "message" in result else 0


def _how_to_install(model: str) -> str:
    """Return the commands that install the packages for a model; Debian's Python allows this in an environment only."""
    pinned = (f"{name}=={RUNTIME_VERSIONS[name]}" for name in device_family(model).packages)
    install = f"-m pip install {' '.join(pinned)} jinja2"
    if sys.prefix != sys.base_prefix:
        return f"Install it with:\n  {sys.executable} {install}\n"
    return (
        "Install it in a virtual environment, then run the runner with venv/bin/python3:\n"
        f"  {sys.executable} -m venv venv\n"
        f"  venv/bin/python3 {install}\n"
    )


def _solve(options: argparse.Namespace) -> int:
    """Print the program and its answer, or why there is none."""
    if not options.question.strip():
        raise RunnerError("bad_request", "The question is empty.")
    settings = Settings(Decoding(options.max_new_tokens, batch_size=1, threads=options.threads))
    out = take_stdout()
    with load(options.model, _template(options.prompt), (), settings) as loaded:
        result = loaded.decoder.run(Wave(0, (Task("question", 0, options.question),)))
    completion = result.completions[0]
    out.write(f"{_shown(completion.program or completion.text.strip())}\n")
    out.write(f"{_shown(explain(completion))}\n")
    return int(completion.answer is None)


def _shown(text: str) -> str:
    """Return a text for a terminal: what does not print, such as an escape sequence in a reply, is shown as escapes."""
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)
