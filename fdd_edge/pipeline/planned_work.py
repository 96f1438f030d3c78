"""A config's work in counts: what each round trains on, exports, compares and answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import inf

from fdd_edge.artifacts.recipe import GgufRecipe, Recipe, float_recipe_of, is_float, load_recipe, load_recipes
from fdd_edge.artifacts.vocab import open_vocab
from fdd_edge.config import Config
from fdd_edge.errors import FddError
from fdd_edge.operations.certify import CERTIFICATE_PROMPTS
from fdd_edge.parity import FEW_PROMPTS, MAX_NEW_TOKENS
from fdd_edge.pipeline.planned_data import PlannedData
from fdd_edge.planning import EASY, Decoding, RoundWork, Span, Texts, Work, candidates, training_of
from fdd_edge.planning.shape import StudentShape
from fdd_edge.records import Problem
from fdd_edge.resolve.planned_student import PlannedStudent
from fdd_edge.resolve.prompts import file_prompt, worked_examples
from fdd_edge.runs.stage_files import VALID
from fdd_edge.students.training_options import NO_RECIPE
from fdd_edge.targets import Profile, is_emulated, load_profile

__all__ = ["PlannedRecipes", "PlannedRun", "asked_for", "plan_work", "texts_of"]

_LETTERS_PER_TOKEN = 3.3
"""Of word problems and programs, in the vocabularies of SmolLM2 and Qwen2.5; used if the student's is not here."""

_LETTERS_PER_SHORT_TOKEN = 2.3
"""The same for the tiny student's vocabulary, and others of some hundred tokens."""

_SMALL_VOCABULARY = 2000

_SAMPLE = 64
"""Problems by which tokens are counted."""

_ACCEPTED = (0.5, 1.0)
"""Share of the new problems that curation accepts."""

_KEPT_ROWS = 8
"""Positions of a reply whose logits the reference keeps, at most."""

_SHORTEST, _LONGEST_PROGRAM = 32, 2
"""Tokens that a reply for a certificate may always have, and how many times the mean length the longest program has."""

_FLOAT_BYTES = 4


@dataclass(frozen=True)
class PlannedRecipes:
    """The recipes of a run: those that are exported, the judge's, and the float artifact's."""

    exported: Mapping[str, Recipe]
    judge: Recipe
    float_recipe: Recipe

    @classmethod
    def of(cls, config: Config) -> PlannedRecipes:
        """Load them."""
        recipes = load_recipes(config.export.recipes)
        float_recipe = load_recipe(float_recipe_of(recipes))
        judge = float_recipe if config.feedback.artifact == "float" else load_recipe(config.feedback.artifact)
        return cls({recipe.name: recipe for recipe in recipes}, judge, float_recipe)

    @property
    def evaluated(self) -> dict[str, Recipe]:
        """Those of the artifacts that answer the reported sets."""
        return {**self.exported, self.judge.name: self.judge}

    @property
    def all(self) -> dict[str, Recipe]:
        """Those of all artifacts."""
        return {self.float_recipe.name: self.float_recipe, **self.evaluated}


@dataclass(frozen=True)
class PlannedRun:
    """What a run does.

    Attributes:
        work: On this machine.
        trained: Problems that each round trains on.
        labelled: Problems that each round labels.
        replies: Replies that are decoded in all, by target.
        asked: New problems that the writer is asked for in all rounds, by purpose: if few problems are easy, and if
            many are.
    """

    work: Work
    trained: Sequence[Span]
    labelled: Sequence[float]
    replies: Mapping[str, Span]
    asked: Sequence[Mapping[str, Span]]


def texts_of(config: Config, data: PlannedData, student: PlannedStudent | None) -> tuple[Texts, str]:
    """Return how long texts are in tokens, and how that is known."""
    per_token, basis = _letters_per_token(data.read, student)
    question, program = data.letters
    # A chat template adds about as much to a question as the plain prompt does.
    prompt = "plain" if config.student.prompt == "chat" else config.student.prompt
    shared = len(file_prompt(prompt).replace("{question}", ""))
    return Texts(question / per_token, shared / per_token, program / per_token + 1), basis


def _letters_per_token(problems: Sequence[Problem], student: PlannedStudent | None) -> tuple[float, str]:
    texts = [f"{problem.question}\n{problem.program or ''}" for problem in problems[:: 1 + len(problems) // _SAMPLE]]
    if student is not None and student.vocab is not None and texts:
        with suppress(FddError), open_vocab(student.vocab) as opened:
            tokens = sum(len(opened.encode(text)) for text in texts)
            if tokens:
                return sum(map(len, texts)) / tokens, "counted with the student's vocabulary"
    is_small = student is not None and student.shape.vocab_size < _SMALL_VOCABULARY
    assumed = _LETTERS_PER_SHORT_TOKEN if is_small else _LETTERS_PER_TOKEN
    return assumed, f"assumed: {assumed} letters a token"


def asked_for(config: Config, labelled: float, easy: float) -> dict[str, Span]:
    """Predict how many new problems a round asks its teacher for, by purpose, if a share of its problems is easy."""
    feedback = config.feedback
    if feedback.policy == "none":
        return {}
    wanted, most = feedback.target_new, feedback.most_candidates
    between = None if wanted is None or most is None else Span(wanted, most)
    return candidates(labelled, feedback.per_easy, feedback.per_hard, easy=easy, between=between)


def _accepted(config: Config, asked: Sequence[Mapping[str, Span]]) -> Span:
    """Predict how many new problems the next round trains on, by what is asked for if few or many are easy."""
    few, many = (sum(one.values(), Span.of(0)) for one in asked)
    most = min(config.feedback.target_new or inf, config.feedback.max_new or inf)
    return few.or_else(many).times(Span(*_ACCEPTED)).at_most(most)


def plan_work(
    config: Config,
    data: PlannedData,
    recipes: PlannedRecipes,
    texts: Texts,
    shape: StudentShape,
    sizes: Mapping[str, float],
    *,
    parity: bool = True,
) -> PlannedRun:
    """Count what a run does.

    Args:
        config: Its config.
        data: Its problems.
        recipes: Its recipes.
        texts: How long problems and programs are.
        shape: Of the student.
        sizes: Bytes of each artifact, by recipe.
        parity: Whether artifacts get certificates.
    """
    feedback, rounds = config.feedback, range(config.rounds)
    first = Span.of(max(1, data.seeds - data.calls.get("", 0)))
    reserve = first * 0.5 if feedback.pool == "fresh" else None
    trained, labelled, asked = [first if reserve is None else first + reserve * -1], [], []
    for _ in rounds:
        pool = trained[-1] if reserve is None else reserve
        labelled.append(float(min(feedback.limit, pool.low)))
        asked.append([asked_for(config, labelled[-1], easy) for easy in EASY])
        new = _accepted(config, asked[-1])
        trained.append(trained[-1] + new + (labelled[-1] if reserve is not None else 0))
    parts = [_round(config, data, recipes, texts, n, one, parity) for n, one in zip(trained, labelled, strict=False)]
    if config.baseline is not None:
        parts.append(_untuned(config, data, recipes, texts, parity))
    kept = {"all": config.rounds - 1, "best": 1, "last": 1, None: 2}[config.keep]
    reference = FEW_PROMPTS * _KEPT_ROWS * shape.vocab_size * _FLOAT_BYTES
    work = Work(
        parts,
        shape.parameters,
        sizes,
        CERTIFICATE_PROMPTS,
        FEW_PROMPTS,
        _longest_reply(texts),
        config.training.quantization_aware != NO_RECIPE,
        kept,
        reference,
    )
    together = [
        {purpose: sum((one[purpose] for one in rounds_asked), Span.of(0)) for purpose in rounds_asked[0]}
        for rounds_asked in zip(*asked, strict=True)
    ]
    return PlannedRun(work, trained[:-1], labelled, _replies(config, data, recipes, labelled), together)


def _round(
    config: Config,
    data: PlannedData,
    recipes: PlannedRecipes,
    texts: Texts,
    examples: Span,
    labelled: float,
    parity: bool,
) -> RoundWork:
    options = config.training
    training = training_of(
        examples,
        texts.example,
        epochs=options.num_train_epochs,
        batch=options.per_device_train_batch_size,
        accumulation=options.gradient_accumulation_steps,
        max_tokens=options.max_tokens,
        eval_steps=options.eval_steps,
        valid_tokens=data.valid * texts.example,
    )
    here = [target for target in map(load_profile, config.targets) if _is_here(target)]
    decodings = [
        _decoding(config, recipe, Span.of(n), texts)
        for _ in here
        for recipe in recipes.evaluated
        for n in _reported(data).values()
    ]
    decodings += [
        _decoding(config, recipe, replies, texts) for recipe, replies in _labelling(config, recipes, labelled)
    ]
    certified = list(recipes.all) if parity and _certified_here(config) else []
    measured = [recipe for _ in here for recipe in recipes.evaluated]
    unproved = _unproved(recipes, certified)
    return RoundWork(list(recipes.all), certified, measured, decodings, texts, training, unproved)


def _untuned(config: Config, data: PlannedData, recipes: PlannedRecipes, texts: Texts, parity: bool) -> RoundWork:
    assert config.baseline is not None
    judge = recipes.judge.name
    shots = worked_examples(config.baseline.num_fewshot)
    shown = len(shots) * (texts.question + texts.reply + texts.shared)
    fewshot = Texts(texts.question, texts.shared + shown, texts.reply)
    is_here = _is_here(load_profile(config.feedback.target))
    sets = _reported(data).values() if is_here else ()
    exported = list(dict.fromkeys([recipes.float_recipe.name, judge]))
    certified = [judge] if parity and _certified_here(config) else []
    # For a certificate it sees no worked examples, so its replies do not end.
    endless = Texts(texts.question, texts.shared, max(_SHORTEST, texts.reply))
    decodings = [_decoding(config, judge, Span.of(n), fewshot) for n in sets]
    return RoundWork(exported, certified, [], decodings, endless, unproved=_unproved(recipes, certified))


def _longest_reply(texts: Texts) -> int:
    """Return how long a reply for a certificate may be."""
    return int(min(max(_SHORTEST, _LONGEST_PROGRAM * texts.reply), MAX_NEW_TOKENS))


def _unproved(recipes: PlannedRecipes, certified: Sequence[str]) -> list[str]:
    """Return those whose rounding a certificate cannot repeat: all but llama.cpp's without an importance matrix."""
    return [
        name
        for name in certified
        if not is_float(recipe := recipes.all[name]) and not (isinstance(recipe, GgufRecipe) and not recipe.is_weighted)
    ]


def _reported(data: PlannedData) -> dict[str, int]:
    return {VALID: data.valid, **data.eval}


def _labelling(config: Config, recipes: PlannedRecipes, labelled: float) -> Iterator[tuple[str, Span]]:
    """Yield what a round's labels take on this machine: the recipe of an artifact, and its replies."""
    samples = config.feedback.num_return_sequences
    if _is_here(load_profile(config.feedback.target)):
        yield recipes.judge.name, Span.of(labelled * samples)
    if recipes.judge.name != recipes.float_recipe.name:
        not_easy = Span((1 - EASY[1]) * labelled, (1 - EASY[0]) * labelled)
        yield recipes.float_recipe.name, not_easy * samples


def _decoding(config: Config, recipe: str, replies: Span, texts: Texts) -> Decoding:
    return Decoding(recipe, replies, texts, config.decoding.max_new_tokens, config.decoding.wave)


def _replies(config: Config, data: PlannedData, recipes: PlannedRecipes, labelled: Sequence[float]) -> dict[str, Span]:
    """Return how many replies are decoded on each target, in all rounds."""
    reported = sum(_reported(data).values())
    each = float(reported * len(recipes.evaluated) * config.rounds)
    found = {target: Span.of(each) for target in config.targets}
    judge = config.feedback.target
    found[judge] = found[judge] + sum(labelled) * config.feedback.num_return_sequences
    if config.baseline is not None:
        found[judge] = found[judge] + reported
    if recipes.judge.name != recipes.float_recipe.name:
        floats = Span(1 - EASY[1], 1 - EASY[0]) * (sum(labelled) * config.feedback.num_return_sequences)
        found["local"] = found.get("local", Span.of(0)) + floats
    return found


def _is_here(target: Profile) -> bool:
    return target.transport == "local"


def _certified_here(config: Config) -> bool:
    target = load_profile(config.feedback.target)
    return _is_here(target) or is_emulated(target)
