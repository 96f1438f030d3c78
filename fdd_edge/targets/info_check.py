"""What a runner says about itself is checked against what it was sent; what the host cannot know, it believes."""

from __future__ import annotations

from fdd_edge.ondevice.families import GGUF, device_family
from fdd_edge.ondevice.prompt import CHAT, plain_prompt
from fdd_edge.ondevice.protocol import PROTOCOL, Request, RunnerError, TargetInfo

__all__ = ["fault_of_info"]


def fault_of_info(info: TargetInfo, request: Request, stored_prompt: str | None = None) -> str | None:
    """Return what is wrong with a runner's description, or None.

    Args:
        info: The description.
        request: What the runner was sent. A chat template is rendered by the runner alone.
        stored_prompt: The prompt that the model file stores, if the caller has read it.
    """
    if info.protocol != PROTOCOL:
        return f"it speaks protocol {info.protocol}, not {PROTOCOL}"
    runtime = device_family(request.artifact).packages[0]
    if info.runtime != runtime:
        return f"it runs the file with {info.runtime[:80]!r}, not {runtime}"
    asked = request.settings.decoding.flash_attention
    has_choice = device_family(request.artifact) is GGUF and request.settings.kv == "f16"
    is_open = asked is None and request.settings.choose_attention
    if not is_open and info.flash_attention != (bool(asked) and has_choice):
        return f"it decodes {'with' if info.flash_attention else 'without'} flash attention, and was told otherwise"
    if request.rendered_at is not None and info.rendered_at != request.rendered_at:
        return f"it renders prompts as of {info.rendered_at}, not of {request.rendered_at}"
    template = stored_prompt if request.prompt is None else request.prompt
    if template is None or template == CHAT or "\ufffd" in template:
        return None
    try:
        expected = plain_prompt(template, request.shots).template
    except RunnerError:
        return f"it takes a prompt without a question: {template[:80]!r}"
    return None if info.prompt == expected else f"it asks with another prompt than it was sent: {info.prompt[:80]!r}"
