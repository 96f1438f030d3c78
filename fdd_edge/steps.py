"""The steps of a run, each as a stage of its folder: what it is made from, and which function makes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from fdd_edge.artifacts.recipe import FLOAT_RECIPE, NO_IMATRIX, OWN_IMATRIX, Recipe, load_recipe
from fdd_edge.config import Config, DataConfig
from fdd_edge.errors import ParityError
from fdd_edge.parity import Certificate
from fdd_edge.progress import announce
from fdd_edge.records import Problem, hash_problems, read_problems
from fdd_edge.runs import Manifest, RoundLayout, RunLayout, Stages
from fdd_edge.runs.layout import ArtifactsLayout
from fdd_edge.stages import evaluation, export, feedback, imatrix, parity, problems, training
from fdd_edge.stages.datasets import DatasetSpec, dataset_files
from fdd_edge.stages.evaluation import Decoding
from fdd_edge.stages.prompts import requested_prompt, shot_stops, worked_examples
from fdd_edge.stages.student import Student
from fdd_edge.targets import load_profile

__all__ = [
    "Run",
    "dataset_specs",
    "evaluate_reported",
    "evaluate_untuned",
    "evolve_problems",
    "export_student",
    "failed_certificates",
    "gather_data",
    "models",
    "read_problem_sets",
    "restore_models",
    "split_by_judge",
    "train_student",
]

POOL = "pool"
NON_EASY = "non-easy"
"""Names, among the data sets of an evaluation, of the problems that are labelled and of those the judge missed."""


@dataclass(frozen=True)
class Run:
    """What every round needs: config, folder, student, data sets by role, and whether artifacts are certified."""

    config: Config
    layout: RunLayout
    stages: Stages
    manifest: Manifest
    student: Student
    sets: Mapping[str, Sequence[DatasetSpec]]
    template: str
    recipes: list[Recipe]
    threads: int
    parity: bool = True

    @property
    def judge(self) -> str:
        """Recipe of the artifact that splits easy from hard."""
        named = self.config.feedback.artifact
        return FLOAT_RECIPE if named == "float" else load_recipe(named).name

    @property
    def recipe_names(self) -> list[str]:
        """Names of the recipes that every round exports."""
        return [recipe.name for recipe in self.recipes]

    @property
    def target_names(self) -> list[str]:
        """Names of the targets; a config may hold paths."""
        return [load_profile(target).name for target in self.config.targets]

    @property
    def reported(self) -> dict[str, Path]:
        """The sets that every artifact is evaluated on: valid, then eval."""
        named = {d.label: self.layout.eval_set(d.label) for d in self.config.data.eval}
        return {"valid": self.layout.valid} | named

    @property
    def evaluated(self) -> list[str]:
        """Recipes that are evaluated on the reported sets: those of the config, and the judge."""
        return list(dict.fromkeys([*self.recipe_names, self.judge]))

    @property
    def certified(self) -> list[str]:
        """Recipes that are held against their float model: all that are evaluated, the float artifact for ``lost``."""
        return list(dict.fromkeys([FLOAT_RECIPE, *self.evaluated]))

    def greedy(self) -> Decoding:
        """How the reported sets are decoded."""
        d = self.config.decoding
        return Decoding(d.max_new_tokens, d.sequences, self.threads, 0.0, d.wave, seed=self.config.seed)

    def sampled(self) -> Decoding:
        """How the labelled problems are decoded: greedily, or several times by chance."""
        d, samples = self.config.decoding, self.config.feedback.samples
        temperature = d.temperature if samples > 1 else 0.0
        return Decoding(
            d.max_new_tokens, d.sequences, self.threads, temperature, d.wave, samples=samples, seed=self.config.seed
        )


def read_problem_sets(this: Run) -> None:
    """Read every data set into the run; if a file has changed since, it is read again, which is announced."""
    sets = this.sets
    flat = [spec for specs in sets.values() for spec in specs]
    this.stages.ensure(
        this.layout.data,
        lambda out: problems.write_sets(
            out, train=sets["train"], valid=sets["valid"], eval=sets["eval"], seed=this.config.seed
        ),
        version=problems.SETS_VERSION,
        params={"seed": this.config.seed, "sets": {role: [spec.params() for spec in s] for role, s in sets.items()}},
        inputs={f"{i}": path for i, path in enumerate(dataset_files(flat))},
    )


def gather_data(this: Run, number: int) -> None:
    """Write the data a round trains on: the seed problems, or everything so far and what was evolved."""
    place = this.layout.round(number)
    protected = this.reported
    inputs = {f"protected/{name}": path for name, path in protected.items()}
    if number == 0:
        teachers = this.config.teacher.rationale
        this.stages.ensure(
            place.data,
            lambda out: problems.seed_training_data(this.layout.seed_problems, protected, out, teachers=teachers),
            version=problems.DATA_VERSION,
            params={"teachers": teachers},
            inputs=inputs | {"seed": this.layout.seed_problems},
        )
        return
    before = this.layout.round(number - 1)
    lost = before.split / "lost.jsonl"
    this.stages.ensure(
        place.data,
        lambda out: problems.extend_training_data(before.train, before.evolved, lost, protected, out),
        version=problems.DATA_VERSION,
        params={},
        inputs=inputs | {"train": before.train, "evolved": before.evolved, "lost": lost},
    )


def train_student(this: Run, number: int) -> None:
    """LoRA-tune the student on the round's data, and merge the adapter into it."""
    config, place = this.config, this.layout.round(number)
    this.stages.ensure(
        this.layout.validation,
        lambda out: problems.validation_data(this.layout.valid, out, teachers=config.teacher.rationale),
        version=problems.DATA_VERSION,
        params={"teachers": config.teacher.rationale},
        inputs={"valid": this.layout.valid},
        is_file=True,
    )
    previous = this.layout.round(number - 1).adapter if config.training.start_from == "previous" and number else None
    settings: dict[str, Any] = {
        "template": this.template,
        "lora": config.lora.model_dump(),
        "training": config.training.model_dump(),
        "dtype": config.student.dtype,
        "seed": config.seed,
    }
    aware_of = None if config.training.quantization_aware == "none" else load_recipe(config.training.quantization_aware)
    this.stages.ensure(
        place.adapter,
        lambda out: training.train(
            this.student,
            read_problems(place.train),
            out,
            valid=read_problems(this.layout.validation),
            start_from=previous,
            aware_of=aware_of,
            **settings,
        ),
        version=training.TRAIN_VERSION,
        params=settings | {"student": this.student.sha256, "aware_of": aware_of and aware_of.model_dump()},
        inputs={"train": place.train, "valid": this.layout.validation} | ({"start_from": previous} if previous else {}),
    )
    this.stages.ensure(
        place.merged,
        lambda out: training.merge(this.student, place.adapter, out, template=this.template),
        version=training.MERGE_VERSION,
        params={"student": this.student.sha256, "template": this.template},
        inputs={"adapter": place.adapter},
    )


def export_student(this: Run, place: RoundLayout) -> None:
    """Write the round's float artifact, quantize it by every recipe, and certify all that will be evaluated.

    Raises:
        ParityError: The judge's artifact is not the model it was made from.
    """
    export_float(this, place, place.merged)
    export_quantized(this, place, place.merged, this.recipes)
    student = this.student._replace(
        name=f"{this.student.name} {place.root.name}", folder=place.merged, vocab=place.merged / "vocab.gguf"
    )
    certify(this, place, student, this.certified)
    if this.judge in (failed := failed_certificates(this, place)):
        raise ParityError(parity.complaint([failed[this.judge]], f"{place.root.name}, whose judge it is"))


def restore_models(this: Run, place: RoundLayout) -> None:
    """Have a round's deleted models made again, because something has to be made from them."""
    announce(f"{place.root.name}: making the deleted models again")
    for output in models(this, place):
        this.stages.restore(output)


def models(this: Run, place: RoundLayout) -> list[Path]:
    """Return what ``keep`` deletes of a round, by far its largest files: the merged student, artifacts, reference."""
    artifacts = [place.artifact(name) for name in dict.fromkeys([FLOAT_RECIPE, *this.recipe_names])]
    return [place.merged, *artifacts, place.reference]


def evaluate_reported(this: Run, place: RoundLayout) -> None:
    """Run every artifact whose certificate did not fail on every target over valid and the eval sets."""
    failed = failed_certificates(this, place)
    for target in this.config.targets:
        for recipe in [name for name in this.evaluated if name not in failed]:
            for name, path in this.reported.items():
                evaluate(this, place, recipe, target, name, read_problems(path), this.greedy())


def export_float(this: Run, place: ArtifactsLayout, folder: Path) -> None:
    """Write the float artifact of a student before or after training."""
    inside = folder.is_relative_to(this.layout.root)
    vocab = folder / "vocab.gguf" if inside else this.student.vocab
    facts: dict[str, Any] = {
        "name": f"{this.student.name} {place.root.name}",
        "template": this.template,
        "license": this.student.license,
        "base": this.student.name if inside else None,
        "round": place.number if isinstance(place, RoundLayout) else None,
        "trained": inside,
    }
    this.stages.ensure(
        place.artifact(FLOAT_RECIPE),
        lambda out: export.export_float(folder, vocab, out, **facts),
        version=export.EXPORT_VERSION,
        params=facts | {"student": this.student.sha256},
        inputs={"merged": folder} if inside else {},
    )


def certify(this: Run, place: ArtifactsLayout, student: Student, recipes: Sequence[str]) -> None:
    """Hold artifacts against their float model on the judge's target; failed ones are certified as such, and named."""
    this.manifest.facts.setdefault("parity", {})[place.root.name] = "made" if this.parity else "skipped"
    this.manifest.write()
    if not this.parity:
        return
    made_from = {"student": student.folder} if student.folder.is_relative_to(this.layout.root) else {}
    pool = {"seed": this.layout.seed_problems, "valid": this.layout.valid}
    facts: dict[str, Any] = {"template": this.template, "seed": this.config.seed}
    this.stages.ensure(
        place.reference,
        lambda out: parity.write_record(
            student, list(pool.values()), out, threads=this.config.training.threads, **facts
        ),
        version=parity.PARITY_VERSION,
        params=facts | {"student": this.student.sha256, "packaged": parity.packaged_sha256()},
        inputs=made_from | pool,
        is_file=True,
    )
    # A config may hold paths, so the recipes are those that were loaded; the float one need not be among them.
    loaded = {recipe.name: recipe for recipe in (load_recipe(FLOAT_RECIPE), *this.recipes)}
    for recipe in (loaded[name] for name in recipes):
        settings: dict[str, Any] = {"target": this.config.feedback.target, "threads": this.threads}
        model = place.model(recipe.name)
        made = this.stages.ensure(
            place.parity(recipe.name),
            partial(parity.write_certificate, model, student.folder, place.reference, recipe, **settings),
            version=parity.PARITY_VERSION,
            params=parity.certificate_params(recipe, **settings) | {"student": this.student.sha256},
            inputs=made_from | {"artifact": place.artifact(recipe.name), "reference": place.reference},
            is_file=True,
        )
        failed = failed_certificates(this, place).get(recipe.name)
        if made and failed is not None:
            announce(parity.complaint([failed], f"the evaluations of {place.root.name}"))


def failed_certificates(this: Run, place: ArtifactsLayout) -> dict[str, Certificate]:
    """Return the failed certificates of a round, or of the untuned student, by recipe; none where none are made."""
    made = [recipe for recipe in this.certified if this.parity and place.parity(recipe).is_file()]
    certificates = {recipe: Certificate.read(place.parity(recipe)) for recipe in made}
    return {recipe: certificate for recipe, certificate in certificates.items() if not certificate.passed}


def export_quantized(this: Run, place: ArtifactsLayout, folder: Path, recipes: Sequence[Recipe]) -> None:
    """Quantize the float artifact by every recipe."""
    if imatrix.wants_own(recipes):
        measure_imatrix(this, place, folder)
    for recipe in recipes:
        if recipe.name == FLOAT_RECIPE:
            continue
        inputs = {"float": place.artifact(FLOAT_RECIPE)}
        if recipe.imatrix != NO_IMATRIX:
            inputs["imatrix"] = place.imatrix if recipe.imatrix == OWN_IMATRIX else Path(recipe.imatrix).expanduser()
        this.stages.ensure(
            place.artifact(recipe.name),
            partial(
                export.export_quantized, place.model(FLOAT_RECIPE), recipe=recipe, own_imatrix=inputs.get("imatrix")
            ),
            version=export.EXPORT_VERSION,
            # Its parity bounds do not change the file.
            params={"recipe": recipe.model_dump(exclude={"parity"})},
            inputs=inputs,
        )


def measure_imatrix(this: Run, place: ArtifactsLayout, folder: Path) -> None:
    """Measure what goes into each matrix of a student on problems it is trained on."""
    inside = folder.is_relative_to(this.layout.root)
    asked = place.train if isinstance(place, RoundLayout) else this.layout.seed_problems
    settings: dict[str, Any] = {
        "template": this.template,
        "adds_bos": this.student.adds_bos,
        "seed": this.config.seed,
    }
    this.stages.ensure(
        place.imatrix,
        lambda out: imatrix.measure_imatrix(folder, read_problems(asked), out, **settings),
        version=imatrix.IMATRIX_VERSION,
        params=settings | {"student": this.student.sha256},
        inputs={"problems": asked} | ({"merged": folder} if inside else {}),
        is_file=True,
    )


def evaluate(
    this: Run,
    place: ArtifactsLayout,
    recipe: str,
    target: str,
    dataset: str,
    asked: Sequence[Problem],
    decoding: Decoding,
) -> Path:
    """Run one artifact on one target over one set; return the evaluation's folder."""
    name = load_profile(target).name
    out = place.evaluation(name, recipe, dataset)
    title = f"{place.root.name} {recipe} on {name}: {dataset}"
    model = place.model(recipe)
    this.stages.ensure(
        out,
        lambda folder: evaluation.complete(model, asked, folder, target=target, decoding=decoding, title=title),
        version=evaluation.EVAL_VERSION,
        params={"problems": hash_problems(asked), "decoding": decoding.fingerprint(target)},
        inputs={"artifact": place.artifact(recipe)},
    )
    return out


def evaluate_untuned(this: Run) -> None:
    """Evaluate the student before training, with worked examples in its prompt, as the judge's recipe."""
    assert this.config.baseline is not None
    baseline, place = this.config.baseline, this.layout.untuned
    announce(f"The untuned student, {baseline.shots} worked examples in its prompt")
    export_float(this, place, this.student.folder)
    export_quantized(this, place, this.student.folder, [recipe for recipe in this.recipes if recipe.name == this.judge])
    certify(this, place, this.student, [this.judge])
    if failed_certificates(this, place):
        return
    decoding = replace(
        this.greedy(),
        prompt=requested_prompt(baseline.prompt),
        shots=worked_examples(baseline.shots),
        stop=shot_stops(baseline.shots, baseline.prompt),
    )
    for name, path in this.reported.items():
        evaluate(this, place, this.judge, this.config.feedback.target, name, read_problems(path), decoding)


def split_by_judge(this: Run, number: int) -> None:
    """Label a sample of the round's problems by what the judge solves of them on its target."""
    rules, place = this.config.feedback, this.layout.round(number)
    bands = {"easy_at": rules.easy_at, "hard_at": rules.hard_at}
    pool = feedback.draw_pool(place.train, rules.limit, this.config.seed + number)
    rows = evaluate(this, place, this.judge, rules.target, POOL, pool, this.sampled())
    inputs = {"pool": place.train, "rows": rows / "rows.jsonl"}
    float_rows: Path | None = None
    if this.judge != FLOAT_RECIPE and FLOAT_RECIPE not in failed_certificates(this, place):
        missed = feedback.non_easy(pool, rows, **bands)
        if missed:
            float_rows = evaluate(this, place, FLOAT_RECIPE, "local", NON_EASY, missed, this.sampled())
            inputs["float_rows"] = float_rows / "rows.jsonl"
    this.stages.ensure(
        place.split,
        lambda out: feedback.split(pool, rows, float_rows, out, **bands),
        version=feedback.SPLIT_VERSION,
        params={"limit": rules.limit, "seed": this.config.seed + number} | bands,
        inputs=inputs,
    )


def evolve_problems(this: Run, number: int) -> None:
    """Let the teacher write more complex problems from easy ones, and similar ones from hard ones."""
    rules, place = this.config.feedback, this.layout.round(number)
    settings: dict[str, Any] = {
        "teacher": this.config.teacher.evolve,
        "per_easy": rules.per_easy,
        "per_hard": rules.per_hard,
        "max_depth": rules.max_depth,
        "round_number": number,
        "seed": this.config.seed + number,
    }

    def make(out: Path) -> None:
        this.manifest.facts.setdefault("declined", {})[place.root.name] = feedback.evolve(place.split, out, **settings)

    this.stages.ensure(
        place.evolved,
        make,
        version=feedback.EVOLVE_VERSION,
        params=settings,
        inputs={"split": place.split},
        is_file=True,
    )


def dataset_specs(data: DataConfig) -> dict[str, list[DatasetSpec]]:
    """Return what a stage needs to know of data sets, by role."""
    return {
        role: [DatasetSpec(d.label, d.path, d.format, d.limit, d.split, d.subset, d.revision) for d in datasets]
        for role, datasets in (("train", data.train), ("valid", data.valid), ("eval", data.eval))
    }
