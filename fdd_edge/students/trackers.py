"""Experiment trackers: a training reports its losses through transformers' own callbacks, a round its figures.

A tracker is company, not part of the work. Whatever it raises ends its reports, is said once, and the training goes on.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from fdd_edge.progress import announce, prints_on_stderr, warn
from fdd_edge.students.shown_training import shown_arguments, shown_model
from fdd_edge.students.tracking import Tracking
from fdd_edge.students.training_options import Tracker

if TYPE_CHECKING:
    from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

__all__ = ["report_figures", "tracker_arguments", "tracker_callbacks"]

_PROJECT = "fdd-edge"
_STEP = "train/global_step"
"""The name under which transformers' callbacks log the step; trackers other than TensorBoard draw figures over it."""

_KEYS = ("WANDB_API_KEY", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "TRACKIO_WRITE_TOKEN")
_NO_NETWORK = {"offline", "disabled", "dryrun"}
_TRUE = {"1", "ON", "YES", "TRUE"}


def tracker_arguments(tracking: Tracking | None) -> dict[str, Any]:
    """Return the ``TrainingArguments`` that trackers' callbacks read.

    Without a Space in the environment, trackio stays on this machine: transformers would publish one.
    """
    if tracking is None or not tracking.trackers:
        return {}
    from transformers import TrainingArguments

    known = {field.name for field in fields(TrainingArguments)}
    wanted = {"logging_dir": str(tracking.folder), "project": _PROJECT, "trackio_space_id": None}
    return {name: value for name, value in wanted.items() if name in known}


def tracker_callbacks(tracking: Tracking | None) -> list[TrainerCallback]:
    """Return a callback of the trainer for each tracker: transformers' own, which cannot end the training."""
    from transformers import TrainerCallback

    class GuardedCallback(TrainerCallback):
        def __init__(self, name: Tracker, given: Tracking) -> None:
            self._name, self._tracking = name, given
            self._inner: TrainerCallback | None = None
            self._has_failed = False
            self._run_name = _trackio_name(given) if name == "trackio" else given.name

        def _pass_on(self, event: str, args: TrainingArguments, state: TrainerState, *rest: Any, **more: Any) -> None:
            if self._has_failed or not state.is_world_process_zero:
                return
            with _guarded(self._name, self._fail):
                if self._inner is None:
                    self._inner = _open_callback(self._name, self._tracking, state.global_step)
                if "model" in more:
                    more["model"] = shown_model(more["model"], self._tracking.student)
                getattr(self._inner, event)(shown_arguments(args, self._run_name), state, *rest, **more)

        def _fail(self) -> None:
            self._has_failed = True

        def on_train_begin(
            self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **more: Any
        ) -> None:
            self._pass_on("on_train_begin", args, state, control, **more)

        def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **more: Any) -> None:
            self._pass_on("on_log", args, state, control, **more)

        def on_train_end(
            self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **more: Any
        ) -> None:
            self._pass_on("on_train_end", args, state, control, **more)

    return [] if tracking is None else [GuardedCallback(name, tracking) for name in tracking.trackers]


def report_figures(tracking: Tracking, figures: Mapping[str, float], step: int) -> None:
    """Report figures about the student that a training made, under the last step of that training."""
    for name in tracking.trackers:
        with _guarded(name):
            _REPORTS[name](tracking, figures, step)


@contextmanager
def _guarded(name: Tracker, on_failure: Callable[[], object] = lambda: None) -> Iterator[None]:
    """Let a tracker work; say what it raises, and go on. What it prints is not a result, so it goes to stderr."""
    space = os.environ.pop("TRACKIO_SPACE_ID", None) if name == "trackio" and _is_offline() else None
    try:
        with prints_on_stderr():
            yield
    except Exception as error:
        on_failure()
        first = str(error).strip().split("\n")[0]
        for key in _keys():
            first = first.replace(key, "***")
        warn(f"{name} failed ({type(error).__name__}: {first:.200}), so it gets nothing more of this training.")
    finally:
        if space is not None:
            os.environ["TRACKIO_SPACE_ID"] = space


def _open_callback(name: Tracker, tracking: Tracking, step: int) -> TrainerCallback:
    """Return transformers' callback for a tracker, of a training that begins, or goes on, after a step."""
    from transformers import integrations

    if name == "tensorboard":
        from torch.utils.tensorboard import SummaryWriter

        # Readers forget what an earlier call wrote about later steps.
        return integrations.TensorBoardCallback(SummaryWriter(str(tracking.folder), purge_step=step + 1))
    if name == "wandb":
        _open_wandb(tracking)
        callback = integrations.WandbCallback()
        # WANDB_LOG_MODEL would upload weights, together with the paths that PEFT and the trainer write beside them.
        callback._log_model = integrations.integration_utils.WandbLogModel.FALSE
        return callback
    return integrations.integration_utils.TrackioCallback()


_OURS: set[str] = set()
"""Ids of the runs of wandb that this process has opened. Each stays open until its figures were reported."""


def _open_wandb(tracking: Tracking) -> Any:
    """Return the training's run of wandb; one that the user has opened, as in a notebook, is used instead."""
    import wandb

    if wandb.run is not None:
        if wandb.run.id == tracking.id or wandb.run.id not in _OURS:
            return wandb.run
        wandb.finish()
    _OURS.add(tracking.id)
    # wandb would upload everything that the process prints, such as paths and answers.
    settings = wandb.Settings() if os.environ.get("WANDB_CONSOLE") else wandb.Settings(console="off")
    return wandb.init(
        project=os.environ.get("WANDB_PROJECT", _PROJECT),
        name=tracking.name,
        id=tracking.id,
        resume="allow",
        mode=_wandb_mode(),
        settings=settings,
    )


def _wandb_mode() -> str | None:
    """Return wandb's mode; None leaves it to ``WANDB_MODE``. Without a key, wandb would ask for one and wait."""
    mode = os.environ.get("WANDB_MODE")
    if _is_offline():
        return None if mode in _NO_NETWORK else "offline"
    if mode:
        return None
    if os.environ.get("WANDB_API_KEY") or _has_login():
        return None
    announce("wandb has no API key, so it writes to its folder only; send that later with: wandb sync")
    return "offline"


def _has_login() -> bool:
    """Return whether ``wandb login`` has stored a key."""
    host = os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai").split("//")[-1].split("/")[0].split(":")[0]
    return host in _logins()


def _logins() -> Mapping[str, str]:
    """Return the stored keys by host."""
    from netrc import NetrcParseError, netrc

    try:
        return {host: key for host, (_, _, key) in netrc(os.environ.get("NETRC")).hosts.items() if key}
    except (OSError, UnicodeDecodeError, NetrcParseError):
        return {}


def _keys() -> set[str]:
    """Return what no warning may show: the keys of the environment, and those that logins have stored."""
    from huggingface_hub import get_token

    return {key for key in (*map(os.environ.get, _KEYS), *_logins().values(), get_token()) if key}


def _is_offline() -> bool:
    return any(os.environ.get(name, "").upper() in _TRUE for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"))


def _report_to_tensorboard(tracking: Tracking, figures: Mapping[str, float], step: int) -> None:
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(tracking.folder)) as writer:
        for name, value in figures.items():
            writer.add_scalar(name, value, step)


def _report_to_wandb(tracking: Tracking, figures: Mapping[str, float], step: int) -> None:
    run = _open_wandb(tracking)
    run.log({**figures, _STEP: step})
    if run.id in _OURS:
        run.finish()


def _trackio_name(tracking: Tracking) -> str:
    """Return the name of the training's run: trackio goes on with one of the same name, whatever it is of."""
    return f"{tracking.name} {tracking.id[:6]}"


def _report_to_trackio(tracking: Tracking, figures: Mapping[str, float], step: int) -> None:
    import trackio

    space = os.environ.get("TRACKIO_SPACE_ID")
    trackio.init(project=_PROJECT, name=_trackio_name(tracking), space_id=space, resume="allow")
    trackio.log({**figures, _STEP: step})
    trackio.finish()


_REPORTS: Mapping[Tracker, Callable[[Tracking, Mapping[str, float], int], None]] = {
    "tensorboard": _report_to_tensorboard,
    "wandb": _report_to_wandb,
    "trackio": _report_to_trackio,
}
