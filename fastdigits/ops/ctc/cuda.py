"""The loss of connectionist temporal classification on a GPU: each warp computes a block of images."""

from fastdigits.ops.ctc.kernel import ctc_loss_block
from fastdigits.ops.cuda.launch import blocks, kernel, warp_number


def ctc_loss(scores, labels, steps, count, reached, remaining, loss, dscores):
    """See reference.ctc_loss."""
    _ctc_loss(scores, labels, steps, 1 / count, reached, remaining, loss, dscores)


@kernel(lambda scores, *others: (blocks(len(scores)),))
def _ctc_loss(scores, labels, steps, inv_count, reached, remaining, loss, dscores):
    b = warp_number()
    if b < len(scores):
        ctc_loss_block(scores, labels, steps, inv_count, reached, remaining, loss, dscores, b)
