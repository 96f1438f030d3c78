"""Steps of LoRA training with hand-written gradients: the same mathematics as torch's own, in fewer passes.

On a CPU, a small model spends half its training time outside the large matrix products. These operations skip the
gradients of frozen weights, a second pass over the vocabulary, and attention kernels that are made for long texts.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import FunctionCtx
from torch.nn.functional import cross_entropy

__all__ = ["CausalAttention", "CompletionLoss", "LoraLinear", "StraightThroughLinear"]

_LOGITS = 1 << 24
"""Logits held in memory at a time, 64 MiB of float32: for a vocabulary of 152,000, chunks of 110 tokens."""


class LoraLinear(Function):
    """A frozen linear layer with its adapter: ``x W' + bias + scale x A' B'`` (arXiv 2106.09685, section 4.1)."""

    @staticmethod
    def forward(
        ctx: FunctionCtx, x: Tensor, weight: Tensor, bias: Tensor | None, a: Tensor, b: Tensor, scale: float
    ) -> Tensor:
        """Return the layer's output.

        Args:
            ctx: Stores what the backward pass needs.
            x: Input, shape (..., in features).
            weight: Frozen, shape (out features, in features), same dtype as x.
            bias: Frozen, shape (out features,), or None.
            a: Adapter, shape (r, in features), float32.
            b: Adapter, shape (out features, r), float32.
            scale: ``lora_alpha / r``, or with rsLoRA ``lora_alpha / sqrt(r)``.
        """
        rows = x.reshape(-1, x.shape[-1])
        a, b = a.to(x.dtype), b.to(x.dtype)
        low = rows @ a.t()
        out = rows @ weight.t() if bias is None else torch.addmm(bias, rows, weight.t())
        out.addmm_(low, b.t(), alpha=scale)
        ctx.save_for_backward(rows, weight, a, b, low)
        ctx.scale, ctx.shape = scale, x.shape
        return out.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: FunctionCtx, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of x, a and b."""
        rows, weight, a, b, low = ctx.saved_tensors
        grad = grads[0].reshape(-1, grads[0].shape[-1])
        grad_low = (grad @ b).mul_(ctx.scale)
        grad_x = None
        if ctx.needs_input_grad[0]:
            grad_x = (grad @ weight).addmm_(grad_low, a).view(ctx.shape)
        grad_a = (grad_low.t() @ rows).float()
        grad_b = (grad.t() @ low).float().mul_(ctx.scale)
        return grad_x, None, None, grad_a, grad_b, None


class StraightThroughLinear(Function):
    """A linear layer whose merged weight was rounded to a grid; the gradient passes straight through the rounding.

    Since ``dL/dW = grad' x`` passes through unchanged, ``dL/dB = scale dL/dW A'`` and ``dL/dA = scale B' dL/dW``: two
    products of rank r instead of one of full size.
    """

    @staticmethod
    def forward(
        ctx: FunctionCtx, x: Tensor, rounded: Tensor, bias: Tensor | None, a: Tensor, b: Tensor, scale: float
    ) -> Tensor:
        """Return the layer's output.

        Args:
            ctx: Stores what the backward pass needs.
            x: Input, shape (..., in features).
            rounded: ``round(W + scale B A)``, transposed, shape (in features, out features), same dtype as x.
            bias: Frozen, shape (out features,), or None.
            a: Adapter, shape (r, in features), float32.
            b: Adapter, shape (out features, r), float32.
            scale: ``lora_alpha / r``, or with rsLoRA ``lora_alpha / sqrt(r)``.
        """
        rows = x.reshape(-1, x.shape[-1])
        out = rows @ rounded if bias is None else torch.addmm(bias, rows, rounded)
        ctx.save_for_backward(rows, rounded, a, b)
        ctx.scale, ctx.shape = scale, x.shape
        return out.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: FunctionCtx, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of x, a and b."""
        rows, rounded, a, b = ctx.saved_tensors
        grad = grads[0].reshape(-1, grads[0].shape[-1])
        grad_x = (grad @ rounded.t()).view(ctx.shape) if ctx.needs_input_grad[0] else None
        grad_a = ((grad @ b.to(grad.dtype)).t() @ rows).float().mul_(ctx.scale)
        grad_b = (grad.t() @ (rows @ a.to(rows.dtype).t())).float().mul_(ctx.scale)
        return grad_x, None, None, grad_a, grad_b, None


class CausalAttention(Function):
    """Grouped-query attention over short texts, with the whole matrix of scores computed at once."""

    @staticmethod
    def forward(ctx: FunctionCtx, query: Tensor, key: Tensor, value: Tensor, mask: Tensor, scale: float) -> Tensor:
        """Return the outputs of the heads, in the shape of the query.

        Args:
            ctx: Stores what the backward pass needs.
            query: Shape (batch, heads, tokens, head size).
            key: Shape (batch, key heads, tokens, head size); the number of heads is a multiple of key heads.
            value: Same shape as key.
            mask: Added to the scores, same dtype as the query, shape (tokens, tokens).
            scale: Factor of the scores.
        """
        batch, heads, tokens, size = query.shape
        shared = key.shape[1]
        # Heads that share a key are stacked, so that one product serves them all.
        query = query.reshape(batch * shared, -1, size)
        key, value = (x.reshape(batch * shared, tokens, size) for x in (key, value))
        # One product, so that the scores are rounded once; the softmax computes in float32 whatever the dtype.
        mask = mask.repeat(heads // shared, 1)
        weights = torch.softmax(torch.baddbmm(mask, query, key.transpose(1, 2), alpha=scale), -1)
        ctx.save_for_backward(query, key, value, weights)
        ctx.scale, ctx.shape = scale, (batch, heads, shared, tokens, size)
        return torch.bmm(weights, value).view(batch, heads, tokens, size)

    @staticmethod
    def backward(ctx: FunctionCtx, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of query, key and value."""
        query, key, value, weights = ctx.saved_tensors
        batch, heads, shared, tokens, size = ctx.shape
        grad = grads[0].reshape(batch * shared, -1, size)
        grad_value = torch.bmm(weights.transpose(1, 2), grad)
        grad_weights = torch.bmm(grad, value.transpose(1, 2))
        grad_scores = torch._softmax_backward_data(grad_weights, weights, -1, query.dtype)
        grad_query = torch.bmm(grad_scores, key).mul_(ctx.scale)
        grad_key = torch.bmm(grad_scores.transpose(1, 2), query).mul_(ctx.scale)
        key_shape = (batch, shared, tokens, size)
        grad_query = grad_query.view(batch, heads, tokens, size)
        return grad_query, grad_key.view(key_shape), grad_value.view(key_shape), None, None


class CompletionLoss(Function):
    """Cross entropy of a frozen head, summed over tokens; the gradient is computed while the logits are in memory."""

    @staticmethod
    def forward(ctx: FunctionCtx, hidden: Tensor, head: Tensor, targets: Tensor) -> Tensor:
        """Return the summed loss, float32.

        Args:
            ctx: Stores what the backward pass needs.
            hidden: Shape (tokens, width).
            head: Frozen, shape (vocabulary, width).
            targets: Ids, shape (tokens,).
        """
        rows = max(1, _LOGITS // head.shape[0])
        total = torch.zeros((), dtype=torch.float32)
        grad = torch.empty_like(hidden) if ctx.needs_input_grad[0] else None
        for start in range(0, len(hidden), rows):
            chunk = slice(start, start + rows)
            logits, ids = (hidden[chunk] @ head.t()).float(), targets[chunk]
            if grad is None:
                total += cross_entropy(logits, ids, reduction="sum")
                continue
            norm = torch.logsumexp(logits, -1, keepdim=True)
            ids = ids.unsqueeze(1)
            total += (norm - logits.gather(1, ids)).sum()
            probabilities = logits.sub_(norm).exp_()
            probabilities.scatter_add_(1, ids, torch.full(ids.shape, -1.0))
            torch.mm(probabilities.to(hidden.dtype), head, out=grad[chunk])
        if grad is not None:
            ctx.save_for_backward(grad)
        return total

    @staticmethod
    def backward(ctx: FunctionCtx, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradient of hidden."""
        (grad,) = ctx.saved_tensors
        return grad * grads[0].to(grad.dtype), None, None
