"""The runner's commands: ``serve`` for a host, ``solve`` for a person at the board, ``info`` for both."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from . import device_info
from .board_store import BoardDir, clean
from .model_files import is_onnx, model_in
from .protocol import RunnerError, Settings, Task, Wave
from .serve import load, serve, take_stdout
from .venv_setup import set_up
from .verdicts import tell_answer

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit code."""
    options = _parser().parse_args(arguments)
    if options.command == "serve":
        if options.home is None:
            return serve(sys.stdin, take_stdout())
        code = serve(sys.stdin, take_stdout(), BoardDir(options.home, options.patience, options.silence))
        os._exit(code)  # a thread still listens, and Python cannot end while it holds stdin
    if options.command == "info":
        sys.stdout.write(json.dumps(device_info.describe_device()) + "\n")
        return 0
    if options.command == "clean":
        return _tell(lambda: {"bytes": clean(options.home)})
    if options.command == "setup":
        return _tell(lambda: {"python": set_up(options.home, options.requirement, options.build, options.beside)})
    options.model = model_in(options.model)
    try:
        return _solve(options)
    except RunnerError as error:
        sys.stderr.write(f"{error}\n")
        if error.kind == "runtime_missing":
            packages = "onnxruntime tokenizers" if is_onnx(Path(options.model)) else "llama-cpp-python"
            sys.stderr.write(f"Install it: {sys.executable} -m pip install {packages}\n")
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
    solve.add_argument("model", help="a GGUF file, the graph of an ONNX model, or the folder of either")
    solve.add_argument("question")
    solve.add_argument(
        "--prompt", help="a template with {question}, a file that holds one, or: chat (default: what the model says)"
    )
    solve.add_argument("--max-new-tokens", type=_count, default=200, help="default: %(default)s")
    solve.add_argument("--threads", type=_count, default=device_info.physical_cores(), help="default: %(default)s")
    return parser


def _count(text: str) -> int:
    """Return a number that is at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more, not {text}")
    return int(text)


def _template(prompt: str | None) -> str | None:
    """Return the template that was given, or that lies in the file of that name."""
    path = Path(prompt or "")
    if prompt is None or "{question}" in prompt or not path.is_file():
        return prompt
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RunnerError("bad_request", f"{path} cannot be read: {error}.") from None


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
    if not options.question.strip():
        raise RunnerError("bad_request", "The question is empty.")
    settings = Settings(max_new_tokens=options.max_new_tokens, sequences=1, threads=options.threads)
    out = take_stdout()
    with load(options.model, _template(options.prompt), (), settings) as loaded:
        result = loaded.decoder.run(Wave(0, (Task("question", 0, options.question),)))
    completion = result.completions[0]
    out.write(f"{completion.program or completion.text.strip()}\n")
    out.write(f"{tell_answer(completion.answer, completion.verdict)}\n")
    return int(completion.answer is None)
