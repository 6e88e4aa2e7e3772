"""Compile one function for an array of AXES axes at the same moment as other processes compile theirs.

python cache_race.py AXES MEETING PROCESSES: before saving, each process waits, for at most MEETING_S, until PROCESSES
have compiled. With PROCESSES 0 nothing waits.
"""

import sys
import time
from pathlib import Path

MEETING_S = 2.0
AXES, MEETING, PROCESSES = int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])


def main() -> None:
    from fastdigits.ops.runtime import kernel_cache, numba_setup

    numba_setup.prepare_numba()
    import numpy as np
    from numba import njit

    from fastdigits.ops.runtime.numba_cache import cached

    save = kernel_cache.KernelFile.save

    def meet_and_save(self, kernel):
        (MEETING / str(AXES)).touch()
        end = time.monotonic() + MEETING_S
        while len(list(MEETING.iterdir())) < PROCESSES and time.monotonic() < end:
            time.sleep(0.01)
        save(self, kernel)

    kernel_cache.KernelFile.save = meet_and_save

    @cached
    @njit
    def axes_of(x):
        return x.ndim

    found = axes_of(np.zeros((1,) * AXES))
    print(found, sum(axes_of.stats.cache_hits.values()), "filelock" in sys.modules)


if __name__ == "__main__":
    main()
