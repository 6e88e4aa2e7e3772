"""Operations on one vector of lanes, written once for every device. x, y are (V, L)."""

from fastdigits.ops.lanes import load, splat, store


def add(a, b, y, v):
    store(y, (v,), load(a, (v,)) + load(b, (v,)))


def dropout(x, mask, raise_by, y, v):
    """dropout with raise_by = 1 / (1 - rate)."""
    store(y, (v,), load(mask, (v,)) * load(x, (v,)) * splat(raise_by))
