"""Comparing the float artifact with torch before anything is judged by its kin."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from fdd_edge.errors import ParityError
from fdd_edge.ondevice.prompt import Prompt
from fdd_edge.ondevice.protocol import Settings, Task, plan_waves
from fdd_edge.progress import announce
from fdd_edge.records import Problem
from fdd_edge.targets import load_profile, open_session, resolve_threads

__all__ = ["PARITY_PROMPTS", "PARITY_VERSION", "prove_float"]

PARITY_VERSION = 1
PARITY_PROMPTS = 8

_NEW_TOKENS = 48


def prove_float(
    folder: Path, artifact: Path, problems: Sequence[Problem], out: Path, *, template: str, adds_bos: bool
) -> None:
    """Write the quick check of a float artifact to the file ``out``.

    Args:
        folder: The merged student the artifact was made from.
        artifact: The float GGUF.
        problems: The first few give the prompts.
        out: The JSON file to write.
        template: The prompt, holding ``{question}``.
        adds_bos: Whether the device puts the token that begins a text before a prompt.

    Raises:
        ParityError: The file does not write what torch would.
    """
    from fdd_edge.parity import compare_greedy
    from fdd_edge.students.reference import Reference
    from fdd_edge.students.tokenizer import encode_prompts, load_tokenizer

    announce("checking parity with torch ...")
    chosen = problems[:PARITY_PROMPTS]
    profile = load_profile("local")
    settings = Settings(
        max_new_tokens=_NEW_TOKENS, sequences=1, threads=resolve_threads(profile, None), kv="f32", return_ids=True
    )
    tasks = [Task(p.id, 0, p.question) for p in chosen]
    with open_session(profile, artifact, settings=settings, prompt=template) as session:
        completions = [c for result in session.complete(plan_waves(tasks)) for c in result.completions]
    prompts = [Prompt.parse(template).render(p.question) for p in chosen]
    prompt_ids = encode_prompts(load_tokenizer(folder), prompts, adds_bos=adds_bos)
    report = compare_greedy(Reference(folder), prompt_ids, completions)
    out.write_text(json.dumps(report._asdict(), indent=1) + "\n", encoding="utf-8")
    if not report.passed:
        raise ParityError(f"{artifact} does not answer as the model it was made from: {report.first_difference}.")
