"""Peak rates of the CPU: multiply-adds in registers, and memory traffic.

The rate of an operation divided by these rates is the fraction of the machine that it uses.
"""

from numba import float32, get_num_threads, prange

from fastdigits.ops.lanes import bind, cpu
from fastdigits.ops.lanes.vector_unit import REGISTERS
from fastdigits.ops.peak import kernel

CHAINS = REGISTERS * 3 // 4  # independent sums: more than pipes times latency of any CPU, but few enough not to spill


_chains = bind(kernel.chains, cpu)


@cpu.parallel
def multiply_adds(x, y, repeats):
    """Run `repeats` multiply-adds on each lane of each vector of x, on one core for each row of y.

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
    """Fill a[i] = b[i] + 3 c[i], which reads two numbers and writes one for each i.

    Parameters
    ----------
    b, c : float32 (N,)
    a : float32 (N,), filled
    """
    for i in prange(len(a)):
        a[i] = b[i] + float32(3) * c[i]


def cores() -> int:
    """Return the number of cores that the kernels use."""
    return get_num_threads()
