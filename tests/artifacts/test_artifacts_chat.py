"""The chat template of a file: in a chat, plain llama-cpp-python sends the runner's prompt and gets the same reply."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from architectures import Case, open_float
from conftest import CHAT_TEMPLATE

from fdd_edge.artifacts.artifact_labels import ArtifactLabels
from fdd_edge.artifacts.chat_template import fitting_chat_template, renders, write_chat_template
from fdd_edge.artifacts.gguf import DeviceVocab
from fdd_edge.artifacts.recipe import load_recipe
from fdd_edge.ondevice.batching import Decoder
from fdd_edge.ondevice.families import GGUF
from fdd_edge.ondevice.llamacpp import Model
from fdd_edge.ondevice.prompt import make_prompt
from fdd_edge.ondevice.protocol import Completion, Decoding, Settings, Shot, Task, Wave
from fdd_edge.operations.export import export_from_student, quantize
from fdd_edge.resolve.prompts import student_prompt
from fdd_edge.resolve.student import Student, open_student

PLAIN = "Question: {question}\nProgram:\n"
ODD = 'Say "{{ it }}" \\ {% once %}\n\t> {question} <\r\n  naïve 東京 {question}\n\n'
QUESTIONS = (
    "Tom has 3 apples and gets 4. How many apples does he have?",
    "  Omar had 12 figs,  gave away 5 \n\nand bought 9.  How many?  ",
    'Ines said "it\'s 5 < 6 & {{ 7 }}". How many {question}?',
)
NEW_TOKENS = 32
TRIMMING = CHAT_TEMPLATE.replace("message['content']", "message['content'] | trim")
BEGUN = "{{ bos_token }}" + CHAT_TEMPLATE
DATED = "Today is {{ strftime_now('%d %b %Y') }}.\n" + CHAT_TEMPLATE
STUDENTS = {"no BOS": Case("qwen2"), "BOS": Case("gemma3")}


@pytest.fixture(params=list(STUDENTS.values()), ids=list(STUDENTS))
def student(request: pytest.FixtureRequest, architecture_student: Callable[[Case], Student]) -> Student:
    made: Student = architecture_student(request.param)
    return made


def with_chat_template(student: Student, source: str, tmp_path: Path) -> Student:
    """Return the student in a folder with its own chat template."""
    folder = Path(shutil.copytree(student.folder, tmp_path / "student"))
    (folder / "chat_template.jinja").write_text(source, encoding="utf-8")
    return open_student(str(folder))


def template_of(prompt: str, student: Student, tmp_path: Path) -> str:
    """Return the prompt of training for each way in which a config may name it."""
    if prompt == "file":
        (tmp_path / "prompt.txt").write_bytes(ODD.encode())
        return student_prompt(str(tmp_path / "prompt.txt"), student.folder)
    return student_prompt(prompt, student.folder)


def ask_runner(path: Path) -> list[Completion]:
    """Ask the file through the runner, with the prompt that it stores."""
    tasks = tuple(Task(f"{i}", 0, question) for i, question in enumerate(QUESTIONS))
    settings = Settings(Decoding(NEW_TOKENS, batch_size=1, threads=1), kv="f32", return_ids=True)
    with Model(str(path)) as model, Decoder(model, make_prompt(None, (), model), settings) as decoder:
        return list(decoder.run(Wave(0, tasks)).completions)


@pytest.mark.parametrize("prompt", ["plain", "chat", "file"])
@pytest.mark.parametrize("own", [CHAT_TEMPLATE, BEGUN, TRIMMING], ids=["own fits", "own begins", "own trims"])
def test_a_chat_asks_what_the_runner_asks_and_is_answered_alike(
    prompt: str, own: str, student: Student, tmp_path: Path
) -> None:
    student = with_chat_template(student, own, tmp_path)
    template = template_of(prompt, student, tmp_path)
    out = tmp_path / "gguf-f32"
    labels = ArtifactLabels("tiny", template)
    export_from_student(out, merged=None, student=student, labels=labels, recipe=load_recipe("gguf-f32"))
    quantize(tmp_path / "gguf-q8_0", float_artifact=out, imatrix=None, recipe=load_recipe("gguf-q8_0"))
    for path in (out / GGUF.model_file, tmp_path / "gguf-q8_0" / GGUF.model_file):
        peer = open_float(path)
        for question, row in zip(QUESTIONS, ask_runner(path), strict=True):
            messages = [{"role": "user", "content": question}]
            reply = peer.create_chat_completion(messages=messages, temperature=0, max_tokens=NEW_TOKENS)
            assert row.prompt_ids is not None
            assert tuple(peer.input_ids[: len(row.prompt_ids)]) == row.prompt_ids
            assert reply["usage"]["prompt_tokens"] == len(row.prompt_ids)
            assert reply["choices"][0]["message"]["content"] == row.text
            completed = peer(template.replace("{question}", question), temperature=0, max_tokens=NEW_TOKENS)
            assert completed["choices"][0]["text"] == row.text


def test_the_bases_own_template_stays_where_it_says_the_prompt(
    architecture_student: Callable[[Case], Student], tmp_path: Path
) -> None:
    student = with_chat_template(architecture_student(Case("qwen2")), CHAT_TEMPLATE, tmp_path)
    template = student_prompt("chat", student.folder)
    with DeviceVocab(student.vocab) as vocab:
        assert vocab.chat_template == CHAT_TEMPLATE
        assert fitting_chat_template(CHAT_TEMPLATE, template, vocab) == CHAT_TEMPLATE
        for own in (
            None,
            TRIMMING,
            DATED,
            CHAT_TEMPLATE + " ",
            "{% if %}",
            "{{ 1 / 0 }}",
            "{{ raise_exception('no') }}",
        ):
            written = fitting_chat_template(own, template, vocab)
            assert written != own
            assert renders(written, template, vocab)
        assert fitting_chat_template(CHAT_TEMPLATE, PLAIN, vocab) != CHAT_TEMPLATE


def test_a_template_of_the_day_it_was_trained_on_is_replaced(
    architecture_student: Callable[[Case], Student], tmp_path: Path
) -> None:
    """It would render another prompt tomorrow."""
    student = with_chat_template(architecture_student(Case("qwen2")), DATED, tmp_path)
    template = student_prompt("chat", student.folder)
    with DeviceVocab(student.vocab) as vocab:
        assert not renders(DATED, template, vocab)
        assert renders(fitting_chat_template(DATED, template, vocab), template, vocab)


def test_a_hostile_template_is_rendered_in_a_sandbox(
    tmp_path: Path, architecture_student: Callable[[Case], Student]
) -> None:
    reach = "{{ ''.__class__.__mro__[1].__subclasses__() }}"
    touch = "{{ cycler.__init__.__globals__.os.system('touch " + str(tmp_path / "reached") + "') }}"
    with DeviceVocab(architecture_student(Case("qwen2")).vocab) as vocab:
        assert not renders(reach, PLAIN, vocab)
        assert not renders(touch, PLAIN, vocab)
    assert not (tmp_path / "reached").exists()


@pytest.mark.parametrize("template", [PLAIN, ODD, "{question}="])
def test_earlier_turns_stand_as_worked_examples_do(template: str, tmp_path: Path) -> None:
    from llama_cpp.llama_chat_format import Jinja2ChatFormatter

    class File:
        bos_text = "<s>"
        eos_text = "</s>"

        def metadata(self, key: str) -> str | None:
            return template if key == "fdd_edge.prompt_template" else None

    shots = (Shot("1+1?", "answer = 2\n"), Shot("  2+2? ", "x = 2\nanswer = x + 2"))
    messages = []
    for shot in shots:
        messages += [{"role": "user", "content": shot.question}, {"role": "assistant", "content": shot.reply}]
    messages.append({"role": "user", "content": QUESTIONS[1]})
    formatter = Jinja2ChatFormatter(write_chat_template(template, begins=True), eos_token="</s>", bos_token="<s>")
    assert formatter(messages=messages).prompt == "<s>" + make_prompt(None, shots, File()).render(QUESTIONS[1])


def test_a_system_message_is_refused_in_words() -> None:
    from llama_cpp.llama_chat_format import Jinja2ChatFormatter

    formatter = Jinja2ChatFormatter(write_chat_template(PLAIN, begins=False), eos_token="", bos_token="")
    with pytest.raises(ValueError, match="it takes user and assistant messages only"):
        formatter(messages=[{"role": "system", "content": "Be brief."}])


def test_a_model_as_it_came_keeps_its_own_template(
    architecture_student: Callable[[Case], Student], tmp_path: Path
) -> None:
    student = with_chat_template(architecture_student(Case("qwen2")), CHAT_TEMPLATE, tmp_path)
    out = tmp_path / "out"
    labels = ArtifactLabels("x", PLAIN, trained=False)
    export_from_student(out, merged=None, student=student, labels=labels, recipe=load_recipe("gguf-f32"))
    with DeviceVocab(out / GGUF.model_file) as vocab:
        assert vocab.chat_template == CHAT_TEMPLATE


def test_a_template_that_calls_itself_for_ever_does_not_fit(student: Student) -> None:
    """It used to end the export with a RecursionError."""
    with DeviceVocab(student.vocab) as vocab:
        assert not renders("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", PLAIN, vocab)
