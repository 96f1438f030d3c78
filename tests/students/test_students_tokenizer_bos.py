"""A tokenizer rebuilt from GGUF tables begins texts where its file says so: a certificate asks it, not the file."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import SPECIAL, tiny_vocabulary

pytest.importorskip("transformers", reason="needs: pip install 'fdd-edge[train]'")

from fdd_edge.students.tokenizer import begins_texts, encode_prompts, load_tokenizer, rebuild_tokenizer


@pytest.mark.parametrize("adds_bos", [True, False])
def test_a_rebuilt_tokenizer_adds_bos_as_its_file_says(adds_bos: bool, tmp_path: Path) -> None:
    tokens, _ = tiny_vocabulary()
    types = [3] * len(SPECIAL) + [1] * (len(tokens) - len(SPECIAL))
    rebuild_tokenizer(
        tmp_path,
        tokens=tokens,
        token_types=types,
        merges=[],
        pre="smollm",
        bos=0,
        adds_bos=adds_bos,
        eos=2,
        chat_template=None,
    )
    tokenizer = load_tokenizer(tmp_path)
    assert begins_texts(tokenizer) is adds_bos
    (ids,) = encode_prompts(tokenizer, ["3 figs"], adds_bos=adds_bos)
    assert ids.count(0) == int(adds_bos)
