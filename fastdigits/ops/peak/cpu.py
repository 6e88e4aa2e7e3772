"""What the machine can do at most: multiply-adds on registers alone, and traffic with memory alone.

The share of an operation in these rates says how much of the machine it uses.
"""

from numba import float32, get_num_threads, prange

from fastdigits.ops.lanes import bind, cpu
from fastdigits.ops.lanes.vector_unit import REGISTERS
from fastdigits.ops.peak import kernel

CHAINS = REGISTERS * 3 // 4  # independent sums: more than any CPU's pipes times latency, and none is spilled


_chains = bind(kernel.chains, cpu)


@cpu.parallel
def multiply_adds(x, y, repeats):
    """Run `repeats` multiply-adds on each lane of each of x's vectors, in every core that y has a row for.

    Parameters
    ----------
    x : float32 (CHAINS, L)
    y : float32 (cores, CHAINS, L), filled
    repeats : int
    """
    for t in prange(len(y)):
        _chains(x, y, t, repeats, CHAINS)


@cpu.parallel
def triad(b, c, a):
    """Fill a[i] = b[i] + 3 c[i]: two numbers read and one written for each i.

    Parameters
    ----------
    b, c : float32 (N,)
    a : float32 (N,), filled
    """
    for i in prange(len(a)):
        a[i] = b[i] + float32(3) * c[i]


def cores() -> int:
    """How many cores the kernels run on."""
    return get_num_threads()
