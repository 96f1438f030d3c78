"""The runner's commands: ``serve`` for a host, ``solve`` for a person at the board, ``info`` for both."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from . import measure
from .home import Place, clean
from .protocol import RunnerError, Settings, Task, Wave
from .serve import load, serve, take_stdout
from .setup import set_up
from .verdicts import tell_answer

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit code."""
    options = _parser().parse_args(arguments)
    if options.command == "serve":
        if options.home is None:
            return serve(sys.stdin, take_stdout())
        code = serve(sys.stdin, take_stdout(), Place(options.home, options.patience, options.silence))
        os._exit(code)  # a thread still listens, and Python cannot end while it holds stdin
    if options.command == "info":
        sys.stdout.write(json.dumps(measure.describe_device()) + "\n")
        return 0
    if options.command == "clean":
        return _tell(lambda: {"bytes": clean(options.home)})
    if options.command == "setup":
        return _tell(lambda: {"python": set_up(options.home, options.requirement, options.build, options.beside)})
    try:
        return _solve(options)
    except RunnerError as error:
        sys.stderr.write(f"{error}\n")
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="runner", description="Answers math problems with a GGUF or ONNX model.")
    commands = parser.add_subparsers(dest="command", required=True)
    serving = commands.add_parser("serve", help="answer a host's requests, as JSON lines on stdin and stdout")
    serving.add_argument("--home", type=Path, help="a board's own folder, for its lock and finished waves")
    serving.add_argument("--patience", type=float, default=0.0, help="seconds to wait for a board that is in use")
    serving.add_argument("--silence", type=float, default=60.0, help="seconds after which a silent host has gone")
    cleaning = commands.add_parser("clean", help="delete the models, runners and finished waves of a board's folder")
    cleaning.add_argument("--home", type=Path, required=True)
    commands.add_parser("info", help="print what this device is, as JSON")
    setting_up = commands.add_parser("setup", help="install the runtime into an environment of the board's folder")
    setting_up.add_argument("--home", type=Path, required=True)
    setting_up.add_argument("--requirement", required=True, help="the runtime and its version")
    setting_up.add_argument("--beside", action="append", default=[], help="another package and its version")
    setting_up.add_argument("--build", help="CMake options: compile it here; default: from wheels in the folder")
    solve = commands.add_parser("solve", help="answer one question")
    solve.add_argument("model", help="a GGUF file, or the graph of an ONNX model")
    solve.add_argument("question")
    solve.add_argument("--prompt", help="a template with {question}, or: chat (default: what the file says)")
    solve.add_argument("--max-new-tokens", type=int, default=200, help="default: %(default)s")
    solve.add_argument("--threads", type=int, default=measure.physical_cores(), help="default: %(default)s")
    return parser


def _tell(do: Callable[[], dict[str, int | str]]) -> int:
    """Print what came out of something, or why it failed, as JSON."""
    try:
        answer = do()
    except RunnerError as error:
        answer = {"message": str(error)}
    sys.stdout.write(json.dumps(answer) + "\n")
    return 2 if "message" in answer else 0


def _solve(options: argparse.Namespace) -> int:
    """Print the program and its answer, or why there is none."""
    settings = Settings(max_new_tokens=max(1, options.max_new_tokens), sequences=1, threads=max(1, options.threads))
    out = take_stdout()
    with load(options.model, options.prompt, (), settings) as loaded:
        result = loaded.decoder.run(Wave(0, (Task("question", 0, options.question),)))
    completion = result.completions[0]
    out.write(f"{completion.program or completion.text.strip()}\n")
    out.write(f"{tell_answer(completion.answer, completion.verdict)}\n")
    return int(completion.answer is None)
