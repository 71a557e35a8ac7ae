"""The posterior by distances: torch's cdist with softmax, and scipy's logsumexp."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from scipy.spatial.distance import cdist
from scipy.special import logsumexp


def distances(arguments: Mapping[str, Any]) -> Callable[[], object]:
    """torch.cdist and softmax."""
    x, means, log_weights = (arguments[name] for name in ("x", "means", "log_weights"))
    own, other = arguments["spread"] ** 2, arguments["sigma"] ** 2

    def denoise() -> object:
        logits = log_weights - torch.cdist(x, means).square() / (2 * (own + other))
        return (own * x + other * (logits.softmax(1) @ means)) / (own + other)

    return denoise


def scipy_logsumexp(arguments: Mapping[str, Any]) -> Callable[[], object]:
    """scipy's cdist and logsumexp."""
    x, means, log_weights = (arguments[name].numpy() for name in ("x", "means", "log_weights"))
    own, other = arguments["spread"] ** 2, arguments["sigma"] ** 2

    def denoise() -> object:
        logits = log_weights - cdist(x, means, "sqeuclidean") / (2 * (own + other))
        weights = np.exp(logits - logsumexp(logits, axis=1, keepdims=True))
        return (own * x + other * weights @ means) / (own + other)

    return denoise


ALTERNATIVES = {"torch.cdist + softmax": distances, "scipy logsumexp": scipy_logsumexp}
