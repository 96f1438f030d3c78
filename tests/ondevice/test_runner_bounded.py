"""What a stranger's template or tokenizer makes the machine do is bounded, and ends in one sentence."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import process_time

import pytest
from conftest import write_tiny_gguf

from fdd_edge.artifacts.chat_template import chat_prompts
from fdd_edge.errors import FddError
from fdd_edge.ondevice import bounded, chat
from fdd_edge.ondevice.bounded import BoundedError, BoundedFunction, bounded_map
from fdd_edge.ondevice.chat import ChatError, render_chat
from fdd_edge.ondevice.first_load import fault_of_loading
from fdd_edge.ondevice.protocol import RunnerError
from fdd_edge.resolve.student import Student

Edit = Callable[[dict[str, object]], None]


@pytest.fixture(autouse=True)
def one_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "SECONDS", 1)


@pytest.mark.parametrize(
    "template",
    [
        "{% for i in range(99999) %}{% for j in range(99999) %}{% if i > 99999 %}x{% endif %}{% endfor %}{% endfor %}",
        "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(99) }}",
        "{{ (7 ** 9999999) % 3 }}",
    ],
)
def test_a_template_without_end(template: str) -> None:
    """It held the command, or a board, for ever: Jinja's sandbox only limits a single range."""
    with pytest.raises(ChatError, match=r"^it takes more than \d+ s of CPU time$") as caught:
        render_chat(template, [], bos="", eos="")
    assert caught.value.hostile


@pytest.mark.parametrize(
    "template",
    [
        "{{ 'x' * 10 ** 10 }}",
        "{% set t = namespace(x='xxxxxxxx') %}{% for i in range(40) %}{% set t.x = t.x ~ t.x %}{% endfor %}{{ t.x }}",
        "{{ 'x'|center(10 ** 9) }}",
        "{{ '%01000000000d' % 1 }}",
        "{{ '{:>1000000000}'.format(1) }}",
        "{{ [0] * 10 ** 9 }}",
        "{% for i in range(99999) %}{{ 'x' * 99999 }}{% endfor %}",
    ],
)
def test_a_template_of_gigabytes(template: str) -> None:
    """Where fresh memory is slow, as in some sandboxes, filling it takes so long that the other limit comes first."""
    limits = r"^it (takes more than 512 MB of memory|makes more than 32 MB|takes more than \d+ s of CPU time)$"
    with pytest.raises(ChatError, match=limits):
        render_chat(template, [], bos="", eos="")


def test_a_long_text_is_no_prompt() -> None:
    with pytest.raises(ChatError, match=r"^it makes 2,000,000 characters$"):
        render_chat("{{ 'x' * 2000000 }}", [], bos="", eos="")
    assert render_chat("{{ 'x' * 2000 }}", [], bos="", eos="") == "x" * 2000


def test_a_hostile_template_is_not_exported() -> None:
    """One that only refuses a message is: it is kept, and compared."""

    class Vocab:
        bos_text = eos_text = ""

        def begins(self, text: str) -> bool:
            return False

    assert set(chat_prompts("{{ raise_exception('no') }}", Vocab())) == {None}
    with pytest.raises(FddError, match=r"^The model's chat template cannot be rendered: it takes more than 512 MB"):
        chat_prompts("{{ 'x' * 10 ** 10 }}", Vocab())


def split_by(pattern: str) -> Edit:
    def edit(tokenizer: dict[str, object]) -> None:
        split = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
        byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
        tokenizer["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [split, byte_level]}

    return edit


def grow(tokenizer: dict[str, object]) -> None:
    replace = {"type": "Replace", "pattern": {"String": "a"}, "content": "a" * 10}
    tokenizer["normalizer"] = {"type": "Sequence", "normalizers": [replace] * 12}


HOSTILE = [
    (split_by("(a|a){19}b|."), "takes more than"),  # half a million tries for each character
    (split_by("(a+)+$"), "fails: "),  # tokenizers panics: Onig gives up after ten million tries
    (grow, "takes more than"),  # 10 ** 12 letters of one
]


def edited(folder: Path, out: Path, edit: Edit) -> Path:
    shutil.copytree(folder, out)
    path = out / "tokenizer.json"
    tokenizer = json.loads(path.read_text(encoding="utf-8"))
    edit(tokenizer)
    path.unlink()
    path.write_text(json.dumps(tokenizer), encoding="utf-8")
    return out


@pytest.mark.parametrize(("edit", "what"), HOSTILE)
def test_a_hostile_tokenizer_in_the_runner(tiny_student: Student, tmp_path: Path, edit: Edit, what: str) -> None:
    pytest.importorskip("tokenizers")
    from fdd_edge.ondevice.vocabulary import Vocabulary

    vocabulary = Vocabulary(edited(tiny_student.folder, tmp_path / "model", edit))
    with pytest.raises(RunnerError) as caught:
        vocabulary.tokenize("a" * 3000 + "b")
    assert caught.value.kind == "bad_artifact"
    assert f"tokenizer.json cannot be used: for '{'a' * 60}...' it {what}" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("edit", "what"), HOSTILE)
def test_a_hostile_tokenizer_on_the_host(tiny_student: Student, tmp_path: Path, edit: Edit, what: str) -> None:
    from fdd_edge.students.tokenizer import encode_examples, load_tokenizer

    tokenizer = load_tokenizer(edited(tiny_student.folder, tmp_path / "model", edit))
    with pytest.raises(FddError, match=f"model cannot be used: for 64 texts or fewer it {what}"):
        encode_examples(tokenizer, [("a" * 3000 + "b", "x = 1")])


def endless_to_load(tokenizer: dict[str, object]) -> None:
    """The text of an added token, normalized when it is added, becomes ten times as long at each step."""
    step = {"type": "Replace", "pattern": {"String": "a"}, "content": "a" * 10}
    tokenizer["normalizer"] = {"type": "Sequence", "normalizers": [step] * 12}
    added = tokenizer["added_tokens"]
    assert isinstance(added, list)
    added.append(dict(added[0]) | {"id": 700, "content": "a", "normalized": True, "special": False})


def test_a_tokenizer_that_only_loading_makes_endless(tiny_student: Student, tmp_path: Path) -> None:
    """17 kB filled the memory of `eval`, `export`, `parity`, `train` and `run`, which no signal reached."""
    pytest.importorskip("transformers", reason="needs: pip install 'fdd-edge[train]'")
    from fdd_edge.ondevice.vocabulary import Vocabulary
    from fdd_edge.students.tokenizer import load_tokenizer

    folder = edited(tiny_student.folder, tmp_path / "folder", endless_to_load)
    takes = r"loading it takes more than \d+ (s of CPU time|MB of memory)\.$"
    with pytest.raises(RunnerError, match=rf"tokenizer\.json cannot be used: {takes}"):
        Vocabulary(folder)
    with pytest.raises(FddError, match=rf"The tokenizer of .*folder cannot be used: {takes}"):
        load_tokenizer(folder)


def endless_gguf(out: Path) -> Path:
    """A vocabulary of BERT's kind, whose tokenizer tries every token that is not longer than the longest at each place.

    A prompt of 300,000 characters kept it for hours.
    """
    gguf = pytest.importorskip("gguf", reason="needs: pip install 'fdd-edge[gguf]'")
    long = "a" * 60_000
    tiny, writer = gguf.GGUFReader(write_tiny_gguf(out.with_suffix(".tiny.gguf"))), gguf.GGUFWriter(out, "llama")
    replaced = {"tokenizer.ggml.model": "bert", "fdd_edge.prompt_template": "a" * 300_000 + "{question}"}
    for name, field in tiny.fields.items():
        if name.startswith("GGUF.") or name in ("general.architecture", "tokenizer.ggml.tokens"):
            continue
        value = replaced.get(name, field.contents())
        kinds = field.types
        writer.add_key_value(name, value, kinds[0], kinds[-1] if len(kinds) > 1 else None)
    tokens = tiny.fields["tokenizer.ggml.tokens"].contents()
    writer.add_token_list([*tokens[:-1], "\u2581" + long])
    for tensor in tiny.tensors:
        writer.add_tensor(tensor.name, tensor.data)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return out


def test_a_vocabulary_that_llama_cpp_never_ends_with(tmp_path: Path) -> None:
    """`solve` ran for ten minutes, until it was killed: nothing ends llama.cpp's tokenizer from inside."""
    from fdd_edge.artifacts.gguf.llama_vocab import DeviceVocab
    from fdd_edge.ondevice.llamacpp import Model

    path = endless_gguf(tmp_path / "model.gguf")
    what = r"cannot be used: for a (prompt|text) of 300,000 characters it takes more than 1 s of CPU time\.$"
    with Model(str(path)) as model, pytest.raises(RunnerError, match=what) as caught:
        model.tokenize("a" * 300_000)
    assert caught.value.kind == "bad_artifact"
    with DeviceVocab(path) as vocab, pytest.raises(FddError, match=what):
        vocab.encode("a" * 300_000)


def test_a_tokenizer_is_tried_once_while_it_is_unchanged(tiny_student: Student, tmp_path: Path) -> None:
    tried = tmp_path / "tried"  # written in children

    def load(path: Path) -> None:
        with tried.open("a", encoding="utf-8") as file:
            file.write("x")
        raise ValueError(path)

    file = tmp_path / "tokenizer.json"
    file.write_text("{}", encoding="utf-8")
    assert [fault_of_loading(load, file) for _ in range(3)] == [None] * 3
    assert tried.read_text(encoding="utf-8") == "x"
    file.write_text("{ }", encoding="utf-8")
    assert fault_of_loading(load, file) is None
    assert tried.read_text(encoding="utf-8") == "xx"


def test_the_same_ids_as_without_a_child(tiny_student: Student) -> None:
    from fdd_edge.students.tokenizer import decode_ids, encode_texts, load_tokenizer

    tokenizer = load_tokenizer(tiny_student.folder)
    texts = [f"Tom has {n} apples.\n" for n in range(150)]
    ids = encode_texts(tokenizer, texts)
    assert ids == tokenizer(texts)["input_ids"]
    assert decode_ids(tokenizer, ids) == texts


def test_a_child_is_gone_when_it_is_closed_and_keeps_no_pipe_open() -> None:
    with BoundedFunction(lambda n: [n, os.getpid(), len(list(Path("/proc/self/fd").iterdir()))]) as double:
        (number, pid, files), (_, same, _) = double(2), double(3)
    assert number == 2
    assert pid == same
    assert files <= 5  # three pipes, the request's file object and the folder that is listed
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_crash_is_no_crash_of_its_parent() -> None:
    with BoundedFunction(lambda _: os.kill(os.getpid(), signal.SIGSEGV)) as crash:
        for _ in range(2):
            with pytest.raises(BoundedError, match=r"^crashes$"):
                crash(0)


def spend(seconds: float) -> float:
    start = process_time()
    while process_time() - start < seconds:
        pass
    return seconds


def test_a_call_may_take_its_time_after_quick_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "SHARE", 0.1)
    assert bounded_map(spend, [0.0] * 20 + [0.7, 0.7]) == [0.0] * 20 + [0.7, 0.7]


def test_many_slow_calls_are_bounded_together() -> None:
    """Each of a thousand prompts took a little less than the limit, which were hours."""
    with BoundedFunction(spend) as slow:
        for _ in range(10):
            with suppress(BoundedError):
                slow(0.7)
        with pytest.raises(BoundedError, match=r"^takes more than 1 s of CPU time$"):
            slow(0.0)


def test_the_limit_of_a_prompt_is_far_below_that_of_a_result() -> None:
    assert chat.LONGEST * 6 < bounded.RESULT  # a character is six bytes of JSON at most
