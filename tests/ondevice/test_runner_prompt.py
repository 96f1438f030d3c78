import pytest

pytest.importorskip("llama_cpp", reason="needs: pip install 'fdd-edge[gguf]'")

from fdd_edge.ondevice.prompt import Prompt, begins_with_bos, make_prompt
from fdd_edge.ondevice.protocol import RunnerError, Shot

CHAT = "{% for m in messages %}[{{ m.role }}]{{ m.content }}{{ eos_token }}{% endfor %}[assistant]"
SHOTS = (Shot("1+1?", "answer = 2\n"),)


class File:
    """A model file that consists only of metadata."""

    bos_text = "<s>"
    eos_text = "</s>"

    def __init__(self, **texts: str) -> None:
        self.texts = {name.replace("__", "."): text for name, text in texts.items()}

    def metadata(self, key: str) -> str | None:
        return self.texts.get(key)


OWN = File(fdd_edge__prompt_template="Q: {question}\nP:\n", tokenizer__chat_template=CHAT)


def test_other_braces_mean_nothing() -> None:
    assert Prompt.parse('{"a": {question}}').render("{x} {question}") == '{"a": {x} {question}}'


def test_every_placeholder_is_the_question() -> None:
    """Only the last one was, so a model that is asked twice ("Read the question again:") read the word itself."""
    assert Prompt.parse("Say {question} for: {question}!").render("1+1") == "Say 1+1 for: 1+1!"


def test_a_chat_template_may_show_the_message_twice() -> None:
    twice = File(tokenizer__chat_template="{{ messages[0].content }}\nAgain: {{ messages[0].content }}")
    assert make_prompt("chat", (), twice).render("1+1?") == "1+1?\nAgain: 1+1?"


def test_a_file_without_a_prompt_is_asked_through_its_chat_template() -> None:
    assert make_prompt(None, (), File(tokenizer__chat_template=CHAT)).render("1+1?") == "[user]1+1?</s>[assistant]"


def test_the_template_of_the_file_is_the_default() -> None:
    assert make_prompt(None, (), OWN).template == "Q: {question}\nP:\n"


def test_the_request_takes_precedence_over_the_file() -> None:
    assert make_prompt("{question}=", (), OWN).template == "{question}="


def test_shots_of_a_plain_prompt_stand_above() -> None:
    assert make_prompt(None, SHOTS, OWN).render("2+2?") == "Q: 1+1?\nP:\nanswer = 2\n\nQ: 2+2?\nP:\n"


@pytest.mark.parametrize(
    ("template", "reply", "at"),
    [
        # Programs and solutions contain blank lines.
        ("Q: {question}\nP:\n", "a = 3\n\nanswer = a", None),
        ("Q: {question}\nP:\n", "a = 3\n\nQ: Tom has", 5),
        ("\nBe brief.\nQ: {question}\nA:", "6\n\nBe brief.\nQ: Tom has", 1),
        # Without an opening, the text after the question tells that another one came before it.
        ("{question}\nAnswer: ", "It is 3.\n\nSo 6.\n\nTom has 2 pens.\nAnswer: 2", 15),
        ("{question}\nAnswer: ", "It is 3.\n\nSo 6.", None),
        ("{question}", "6\n\nTom has", 1),
        # These ran on, and the answer of the invented example was scored.
        ("Q: {question}\nP:\n", "5\nQ: Tom has 9?\n9", 1),
        ("Question: {question}\nProgram:\n", "5\nQuestion: Tom has 9?\n9", 1),
        ("Question: {question}\nProgram:\n", "5\n\nQ: Tom has 9?\nA: 9", 1),
        ("Question: {question}\nProgram:\n", "a = 5\n\nProblem: Tom has 9?\n9", 5),
        ("Question: {question}\nProgram:\n", "5\n\n**Question:** Tom has 9?\n9", 1),
        ("Question: {question}\nProgram:\n", "5\n\nExample 2: Tom has 9?\n9", 1),
        ("Be brief.\nFrage: {question}\nA:", "6\n\nFrage: Tom has", 1),
        ("Be brief.\nFrage: {question}\nA:", "6\nFrage: Tom has", 1),
        ("{question}\nAnswer: ", "5\nTom has 2 pens?\nAnswer: 2", 1),
        # These are one reply.
        ("Question: {question}\nProgram:\n", "Question: what do we know? She has 3.\n\nSo 5", None),
        ("Question: {question}\nProgram:\n", "The question is how many.\n\nQuestion 1: how many? 5", None),
        ("Question: {question}\nProgram:\n", "a = 3\nq: int = a\n# Question: how many?\nanswer = q", None),
        ("Question: {question}\nProgram:\n", "\nQuestion: how many?\n5", None),
        ("1. {question}\nA:", "First:\n1. Add.\n\n2. Go on.", None),
        ("{question}\nAnswer: ", "It is 3 + 2.\nAnswer: 5", None),
    ],
)
def test_another_example_ends_a_reply_and_a_blank_line_does_not(template: str, reply: str, at: int | None) -> None:
    """With worked examples a reply ended at its first blank line, and what stood before was scored."""
    example = make_prompt(template, SHOTS, OWN).next_example
    assert example is not None
    assert example.find(reply.encode(), 0) == at


@pytest.mark.parametrize(("requested", "shots"), [(None, ()), ("chat", SHOTS)])
def test_only_examples_above_the_question_are_continued(requested: str | None, shots: tuple[Shot, ...]) -> None:
    assert make_prompt(requested, shots, OWN).next_example is None


def test_another_example_is_found_token_by_token() -> None:
    example = make_prompt("Question: {question}\nProgram:\n", SHOTS, OWN).next_example
    assert example is not None
    reply = b"x" * 40 + b"\n\n**Exercise 12**: Tom"
    grown = [n for n in range(len(reply)) if example.find(reply[: n + 1], max(0, n - example.longest + 1)) is not None]
    assert grown[0] == len(b"x" * 40 + b"\n\n**Exercise 12**:") - 1


MARKED = "\ufeffQ: \ufeff{question}\n\ufeffA:"


@pytest.mark.parametrize(
    ("requested", "file"),
    [
        (MARKED, OWN),
        (None, File(fdd_edge__prompt_template=MARKED)),
        ("chat", File(tokenizer__chat_template="\ufeff\ufeffQ: {{ messages[-1].content }}\n\ufeffA:")),
    ],
)
def test_a_byte_order_mark_never_reaches_the_model(requested: str | None, file: File) -> None:
    """Only a file's first one was dropped: a question, a chat template and all other lines kept theirs."""
    assert make_prompt(requested, (), file).render("\ufeff1+1\ufeff?") == "Q: 1+1?\nA:"


@pytest.mark.parametrize("requested", ["{question}=", "chat"])
def test_a_byte_order_mark_in_a_worked_example_is_dropped(requested: str) -> None:
    shots = (Shot("\ufeff1+1?", "\ufeffanswer = 2"),)
    assert "\ufeff" not in make_prompt(requested, shots, OWN).render("2+2?")


def test_shots_of_a_chat_are_earlier_turns() -> None:
    rendered = make_prompt("chat", SHOTS, OWN).render("2+2?")
    assert rendered == "[user]1+1?</s>[assistant]answer = 2\n</s>[user]2+2?</s>[assistant]"


@pytest.mark.parametrize(
    ("requested", "file", "fault"),
    [
        (None, File(), "This model stores neither a prompt nor a chat template. Use the prompt plain."),
        ("chat", File(), "This model has no chat template. Use another prompt, such as plain."),
        ("Solve it.", File(), "The prompt template does not contain {question}: 'Solve it.'."),
        ("chat", File(tokenizer__chat_template="{{ raise_exception('no users') }}"), "cannot be rendered: no users."),
        ("chat", File(tokenizer__chat_template="{% if %}"), "cannot be rendered"),
        # These used to end in "The runner failed".
        ("chat", File(tokenizer__chat_template="{{ messages + 1 }}"), "cannot be rendered: can only concatenate list"),
        (
            "chat",
            File(tokenizer__chat_template="{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"),
            "cannot be rendered: maximum recursion depth exceeded",
        ),
        ("chat", File(tokenizer__chat_template="{% for a in 'b' %}" * 30 + "{% endfor %}" * 30), "cannot be rendered"),
        (
            "chat",
            File(tokenizer__chat_template="{{ 'a' * 10 ** 17 }}"),
            "cannot be rendered: it takes more than 512 MB of memory",
        ),
    ],
)
def test_prompts_that_cannot_be_made(requested: str | None, file: File, fault: str) -> None:
    with pytest.raises(RunnerError) as caught:
        make_prompt(requested, (), file)
    assert caught.value.kind == "bad_request"
    assert fault in str(caught.value)


@pytest.mark.parametrize(
    ("text", "adds_bos", "bos_text", "begins"),
    [
        ("1+1?", True, "<s>", True),
        ("<s>1+1?", True, "<s>", False),
        ("1+1?", False, "<s>", False),
        ("1+1?", True, "", True),
        ("1+1?", False, None, False),
    ],
)
def test_bos_is_put_before_a_text_that_lacks_it(text: str, adds_bos: bool, bos_text: str | None, begins: bool) -> None:
    """One rule, of which training, export and the runner used to have a copy each."""
    assert begins_with_bos(text, adds_bos=adds_bos, bos_text=bos_text) is begins
