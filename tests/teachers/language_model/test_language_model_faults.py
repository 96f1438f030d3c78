"""Errors as makers of endpoints write them: OpenAI, vLLM and Ollama cannot be asked here, llama-server is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fdd_edge.teachers.language_model._faults import fault_of_status


def openai(message: str, code: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": code}}


def vllm(message: str, kind: str, code: int) -> dict[str, Any]:
    return {"object": "error", "message": message, "type": kind, "param": None, "code": code}


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (401, openai("Incorrect API key provided: sk-***.", "invalid_api_key"), "unauthorized"),
        (404, openai("The model `gpt-9` does not exist or you do not have access to it."), "no_such_model"),
        (429, openai("You exceeded your current quota", "insufficient_quota"), "no_credit"),
        (429, openai("Rate limit reached for gpt-4.1-mini", "rate_limit_exceeded"), "rate_limited"),
        (400, openai("Unsupported parameter: 'max_tokens' is not supported with this model."), "bad_request"),
        (400, openai("Unsupported value: 'temperature' does not support 0.7 with this model."), "bad_request"),
        (404, vllm("The model `x` does not exist.", "NotFoundError", 404), "no_such_model"),
        (404, {"error": vllm("The model `x` does not exist.", "NotFoundError", 404)}, "no_such_model"),
        (400, vllm("This model's maximum context length is 4096 tokens.", "BadRequestError", 400), "too_long"),
        (400, openai("The model produced invalid content. Consider modifying your prompt."), "bad_request"),
        (
            400,
            openai(
                "This model's maximum context length is 2048 tokens; your request is not valid: 9000 tokens",
                "context_length_exceeded",
            ),
            "too_long",
        ),
        (400, openai("The parameters of the model are invalid", "invalid_value"), "bad_request"),
        (400, {"error": {"message": "foo/bar is not a valid model ID", "code": 400}}, "no_such_model"),
        (400, {"object": "error", "message": "Invalid model: foo", "type": "invalid_model"}, "no_such_model"),
        (400, openai("Model Not Exist"), "no_such_model"),
        (400, openai("The model 'foo/bar-1.5' does not exist"), "no_such_model"),
        (400, openai("whatever it says", "model_not_found"), "no_such_model"),
        (404, openai("models/foo is not found for API version v1main"), "no_such_model"),
        (401, {"error": "Unauthorized"}, "unauthorized"),
        (
            404,
            {"error": {"message": 'model "x" not found, try pulling it first', "type": "api_error"}},
            "no_such_model",
        ),
        (404, {"error": "model 'x' not found"}, "no_such_model"),
        (503, {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}, "server_error"),
        (501, {"error": {"code": 501, "message": "not supported", "type": "not_supported_error"}}, "no_chat"),
    ],
)
def test_an_error_means_the_same_whoever_writes_it(status: int, body: dict[str, Any], reason: str) -> None:
    fault = fault_of_status(status, body, json.dumps(body), {})
    assert fault.reason == reason and fault.retryable == (reason in ("rate_limited", "server_error"))
