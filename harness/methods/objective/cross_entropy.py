"""Cross-entropy, with label smoothing: Szegedy et al., "Rethinking the Inception Architecture", CVPR 2016,
arXiv:1512.00567, section 7.

For logits z (C,), label y and smoothing s:  loss = log sum_c exp z_c - (1 - s) * z_y - s * mean_c z_c.
"""

from __future__ import annotations

from torch import Tensor

from harness.protocols.component import Params, component, param
from harness.protocols.context import TrialContext
from harness.protocols.objective import Batch


class CrossEntropyParams(Params):
    label_smoothing: float = param(0.0, ge=0, le=1, help="share of the target spread evenly over all classes")


@component(
    slot="objective",
    key="cross-entropy",
    protocol="classification",
    version=1,
    paper="arXiv:1512.00567",
    params=CrossEntropyParams,
)
class CrossEntropy:
    """Mean negative log-likelihood of the labels under the softmax of the logits, in nats."""

    def __init__(self, params: CrossEntropyParams, n_classes: int, ctx: TrialContext) -> None:
        self._smoothing = params.label_smoothing

    def __call__(self, logits: Tensor, batch: Batch, progress: float) -> Tensor:
        """Scalar; a weighted batch is divided by its size, so that weights 1 / (n p) leave the mean unbiased."""
        target = logits.gather(1, batch.y[:, None])
        if self._smoothing:
            target = target.lerp(logits.mean(1, keepdim=True), self._smoothing)
        loss = logits.logsumexp(1, keepdim=True) - target
        return loss.mean() if batch.weight is None else (loss * batch.weight[:, None]).mean()
