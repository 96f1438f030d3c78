"""One round: which stages follow each other, and for which artifacts. Also covers the untuned student."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from fdd_edge.artifacts.recipe import Recipe
from fdd_edge.errors import ParityError
from fdd_edge.feedback import Bands
from fdd_edge.operations.asking import Asking
from fdd_edge.operations.certify import failure_message, judge_failure_message
from fdd_edge.operations.shown_answers import ShownAnswer
from fdd_edge.operations.split import draw_pool, non_easy
from fdd_edge.parity import Certificate
from fdd_edge.pipeline.round_summary import RoundSummary, summarize_round, write_summary
from fdd_edge.pipeline.run import Run
from fdd_edge.pipeline.section_options import take
from fdd_edge.pipeline.shown_questions import (
    OnAnswers,
    Shown,
    answers_of_round,
    answers_of_untuned,
    questions_before,
)
from fdd_edge.pipeline.stages.adapters import train_adapter
from fdd_edge.pipeline.stages.attention import choose_attention
from fdd_edge.pipeline.stages.benchmarks import measure_cost
from fdd_edge.pipeline.stages.certificates import certify_artifact, failed_certificates
from fdd_edge.pipeline.stages.curated_problems import curate_problems
from fdd_edge.pipeline.stages.evaluations import complete
from fdd_edge.pipeline.stages.exports import export_artifact
from fdd_edge.pipeline.stages.forecasts import announce_eta
from fdd_edge.pipeline.stages.imatrices import make_imatrix
from fdd_edge.pipeline.stages.labels import label_problems
from fdd_edge.pipeline.stages.merged_students import merge_adapter
from fdd_edge.pipeline.stages.offspring import evolve_problems
from fdd_edge.pipeline.stages.own_programs import keep_own_solutions
from fdd_edge.pipeline.stages.references import make_reference
from fdd_edge.pipeline.stages.round_data import collect_data
from fdd_edge.pipeline.stages.validation_set import select_validation
from fdd_edge.pipeline.start import check_reserve
from fdd_edge.progress import announce, warn
from fdd_edge.records import read_problems
from fdd_edge.resolve.prompts import requested_prompt, worked_examples
from fdd_edge.runs import ArtifactsLayout, RoundLayout
from fdd_edge.runs.stage_files import NON_EASY, POOL, SHOWN, VALID
from fdd_edge.targets import Profile, load_profile

__all__ = ["ask_untuned", "evaluate_untuned", "make_round"]


_SHOWN_TOKENS = 96
"""Tokens of an untuned student's reply that is only shown: the program of a word problem has 20 to 80, and others often
have no end. Where its replies are counted, it may write as many as the trained one."""


def make_round(run: Run, round_dir: RoundLayout, on_answers: OnAnswers = lambda shown: None) -> RoundSummary:
    """Train, export, judge, label, evolve and curate once; return what happened.

    Args:
        run: The run.
        round_dir: The round.
        on_answers: Called as soon as the judge's file has answered the questions that are shown.

    Raises:
        ParityError: The judge's artifact failed its certificate.
    """
    collect_data(run, round_dir)
    _warn_of_same_data(run, round_dir)
    check_reserve(run)
    select_validation(run)
    train_adapter(run, round_dir)
    merge_adapter(run, round_dir)
    _export(run, round_dir, run.named.recipes.values())
    _certify(run, round_dir, run.certified.values())
    failed = failed_certificates(run, round_dir)
    _check_judge(run, round_dir, failed)
    _evaluate(run, round_dir, [recipe for name, recipe in run.evaluated.items() if name not in failed], on_answers)
    has_float = run.named.float_recipe.name not in failed
    if has_float and run.config.gates.max_drop is not None:
        _evaluate_float(run, round_dir)
    _label(run, round_dir, has_float=has_float)
    evolve_problems(run, round_dir)
    curate_problems(run, round_dir)
    keep_own_solutions(run, round_dir)
    summary = summarize_round(run, round_dir)
    write_summary(summary, round_dir.summary)
    return summary


def _warn_of_same_data(run: Run, round_dir: RoundLayout) -> None:
    """Announce a round that trains on what the round before was trained on."""
    if round_dir.number == 0 or run.config.feedback.policy == "none" or run.stages.was_made(round_dir.adapter):
        return
    before = run.layout.round(round_dir.number - 1)
    if round_dir.train.read_bytes() == before.train.read_bytes():
        warn(
            f"{round_dir.name} trains on the same problems as {before.name}, because no new problem was accepted; it "
            "labels another sample and asks the teacher again."
        )


def ask_untuned(run: Run, on_answers: OnAnswers) -> None:
    """Ask the student a few questions before training, as the baseline asks: it takes seconds, its evaluation minutes.

    A run that was trained before it could be asked is not held up for it.
    """
    layout, target, judge = run.layout.untuned, run.certified_on, run.named.judge
    questions, was_asked = questions_before(run), layout.evaluation(target.name, judge.name, SHOWN).is_dir()
    if not questions or (run.stages.was_made(run.layout.round(0).adapter) and not was_asked):
        return
    _export(run, layout, [judge])
    asking = _untuned_asking(run)
    # Too few questions to be worth measuring which attention is faster.
    shorter = replace(
        asking.decoding,
        max_new_tokens=min(_SHOWN_TOKENS, asking.decoding.max_new_tokens),
        flash_attention=bool(asking.decoding.flash_attention),
    )
    complete(run, layout, judge, target, SHOWN, questions, replace(asking, decoding=shorter))
    _show(on_answers, None, answers_of_untuned(run))


def _untuned_asking(run: Run) -> Asking:
    """Return how the student before training is asked: with worked examples."""
    baseline = run.config.baseline
    assert baseline is not None
    return replace(
        run.greedy(), prompt=requested_prompt(baseline.prompt), examples=worked_examples(baseline.num_fewshot)
    )


def evaluate_untuned(run: Run) -> bool:
    """Evaluate the student before training, with worked examples in its prompt, in the judge's recipe.

    Returns:
        Whether the config asks for it.
    """
    baseline, layout, judge = run.config.baseline, run.layout.untuned, run.named.judge
    if baseline is None:
        return False
    announce(f"The untuned student, with {baseline.num_fewshot} worked examples in its prompt")
    _export(run, layout, [judge])
    _certify(run, layout, [judge])
    if failed_certificates(run, layout):
        return True
    target = run.named.judge_target
    asking = _decided(run, layout, judge, target, _untuned_asking(run))
    for name, path in run.reported.items():
        complete(run, layout, judge, target, name, read_problems(path), asking)
    return True


def _decided(run: Run, layout: ArtifactsLayout, recipe: Recipe, target: Profile, asking: Asking) -> Asking:
    """Return how an artifact is asked, with the threads and the attention that the target will use."""
    runtime = run.runtime(target, recipe)
    asking = asking.on(runtime)
    if not asking.leaves_attention_open(runtime):
        return asking
    return asking.with_attention(flash=choose_attention(run, layout, recipe, target, asking))


def _export(run: Run, layout: ArtifactsLayout, recipes: Iterable[Recipe]) -> None:
    """Write the float artifact of a round's student, or of the untuned one, and those of recipes."""
    float_recipe = run.named.float_recipe
    wanted = {recipe.name: recipe for recipe in (float_recipe, *recipes)}
    for recipe in wanted.values():
        if recipe.measures_imatrix:
            make_imatrix(run, layout)
        export_artifact(run, layout, recipe)


def _certify(run: Run, layout: ArtifactsLayout, recipes: Iterable[Recipe]) -> None:
    """Compare artifacts with their float model; failures are recorded and announced."""
    run.manifest.facts.setdefault("parity", {})[layout.name] = "made" if run.parity else "skipped"
    run.manifest.write()
    if not run.parity:
        return
    if isinstance(layout, RoundLayout):
        make_reference(run, layout)
    for recipe in recipes:
        made = certify_artifact(run, layout, recipe)
        # The other certificates may be damaged; each is checked later.
        if made and not (certificate := Certificate.read(layout.parity(recipe.name))).passed:
            warn(failure_message([certificate], f"the evaluations of {layout.name}"))


def _check_judge(run: Run, round_dir: RoundLayout, failed: dict[str, Certificate]) -> None:
    """Refuse to label problems with an artifact that does not match its float model.

    Raises:
        ParityError: The judge's artifact failed its certificate.
    """
    if run.named.judge.name in failed:
        raise ParityError(judge_failure_message(failed[run.named.judge.name], round_dir.name))


def _evaluate(run: Run, round_dir: RoundLayout, recipes: Sequence[Recipe], on_answers: OnAnswers) -> None:
    """Run artifacts on every target, over valid and the eval sets; the judge's first, whose answers are shown."""
    judge, judge_target = run.named.judge, run.named.judge_target
    for target in sorted(run.named.targets, key=lambda target: target.name != judge_target.name):
        if target.transport != "local":
            announce_eta(run, round_dir, target, _decided(run, round_dir, judge, target, run.greedy()))
        for recipe in sorted(recipes, key=lambda recipe: recipe.name != judge.name):
            asking = _decided(run, round_dir, recipe, target, run.greedy())
            measure_cost(run, round_dir, recipe, target, asking)
            for name, path in run.reported.items():
                complete(run, round_dir, recipe, target, name, read_problems(path), asking)
            if (target.name, recipe.name) == (judge_target.name, judge.name):
                _show(on_answers, round_dir.number, answers_of_round(run, round_dir))


def _show(on_answers: OnAnswers, number: int | None, answers: list[ShownAnswer]) -> None:
    if answers:
        on_answers(Shown(number, answers))


def _evaluate_float(run: Run, round_dir: RoundLayout) -> None:
    """Run the float artifact over valid: the gate on the accuracy that the judge's artifact drops compares with it."""
    recipe, local, valid = run.named.float_recipe, load_profile("local"), read_problems(run.layout.valid)
    complete(run, round_dir, recipe, local, VALID, valid, _decided(run, round_dir, recipe, local, run.greedy()))


def _label(run: Run, round_dir: RoundLayout, *, has_float: bool) -> None:
    """Label a sample of the round's problems by what the judge solves of them on its target.

    Args:
        run: The run.
        round_dir: The round.
        has_float: Whether the float artifact passed its certificate, so that it can find the lost problems.
    """
    rules, named = run.config.feedback, run.named
    pool = draw_pool(round_dir.train, rules.limit, run.seed + round_dir.number, reserve=run.reserve)
    judge, target = named.judge, named.judge_target
    rows = complete(run, round_dir, judge, target, POOL, pool, _decided(run, round_dir, judge, target, run.sampled()))
    float_rows: Path | None = None
    if has_float and named.judge != named.float_recipe and (missed := non_easy(pool, rows, take(Bands, rules))):
        local, recipe = load_profile("local"), named.float_recipe
        asking = _decided(run, round_dir, recipe, local, run.sampled())
        float_rows = complete(run, round_dir, recipe, local, NON_EASY, missed, asking)
    label_problems(run, round_dir, pool, rows, float_rows)
