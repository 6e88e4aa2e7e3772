"""Element-wise operations on a GPU: each warp computes one vector."""

from fastdigits.ops.cuda.launch import bound, each_vector, kernel, warp_number
from fastdigits.ops.elementwise import kernel as vectors

_copy_vector = bound(vectors.copy)
_add_vectors = bound(vectors.add)
_drop_vector = bound(vectors.dropout)


@kernel(each_vector, writes=["y"])
def copy(x, y):
    """See reference.copy."""
    v = warp_number()
    if v < len(y):
        _copy_vector(x, y, v)


@kernel(each_vector, writes=["y"])
def add(a, b, y):
    """See reference.add."""
    v = warp_number()
    if v < len(y):
        _add_vectors(a, b, y, v)


def dropout(x, mask, rate, y):
    """See reference.dropout."""
    _dropout(x, mask, 1 / (1 - rate), y)


@kernel(each_vector, writes=["y"])
def _dropout(x, mask, scale, y):
    v = warp_number()
    if v < len(y):
        _drop_vector(x, mask, scale, y, v)
