"""The compiled code of a team: a loop in parts, and what each of its threads does.

All values are 64-bit whole numbers; addresses are, too.
"""

from typing import Any

import numpy as np
from numba import njit, types

from fastdigits.ops.runtime.team.atomics import (
    WORD,
    add,
    call,
    offer_core,
    pause,
    read,
    replace,
    symbol,
    this_thread,
    write,
)

TEAM = "fastdigits_team"  # the symbol of its memory
SPINS = 64  # times that a thread looks for work before it offers its core to others
number_of_threads: Any = types.ExternalFunction("get_num_threads", types.int32())  # of the layer

MAX_PARTS, MAX_ARRAYS, MAX_DIMENSIONS = 256, 96, 32  # of a loop

# The memory of the team, in bytes from its start. What several threads change has lines of the cache to itself.
LINE = 128
CALLER = 0  # the thread that calls the kernels; FREE without a replay, TAKEN before, after, and within a loop
TICKET = LINE  # number of parts of the job, and how many are claimed; OVER after the last job
DONE = 2 * LINE  # parts that helpers have computed
REPLAY = 3 * LINE  # address of the replay, or 0 once a thread has begun it
CODE = 4 * LINE  # what the replay has returned
LAYER = 5 * LINE  # address of the layer's function
JOIN = LAYER + WORD  # address of `join`
THREADS = 6 * LINE  # length of the loop in which the layer calls `join`
MEMBERS = 7 * LINE  # how many threads have joined
JOB = 8 * LINE  # arguments of parallel_for
NAMES = 9 * LINE  # the threads that have joined
PARTS = NAMES + MAX_PARTS * WORD  # addresses of arrays and dimensions, for each part

FREE, TAKEN, OVER = 0, -1, -1
SIZE, MASK = 16, 0xFFFF  # first bit of the number of parts of a ticket, and bits of the claimed ones
PART = (MAX_ARRAYS + MAX_DIMENSIONS) * WORD
BYTES = PARTS + MAX_PARTS * PART


@njit
def parallel_for(function, arrays, dimensions, steps, data, inner, count, threads):
    """Run a loop, as the layer's function does: call `function` for each part, with the arrays moved on by `steps`."""
    team, parts = symbol(TEAM), read(dimensions)
    if read(team + CALLER) != this_thread() or parts > MAX_PARTS or count > MAX_ARRAYS or inner >= MAX_DIMENSIONS:
        call(read(team + LAYER), (function, arrays, dimensions, steps, data, inner, count, threads))
        return
    job = (function, arrays, dimensions, steps, data, inner, count)
    for w in range(len(job)):
        write(team + JOB + w * WORD, job[w])
    write(team + CALLER, TAKEN)
    write(team + DONE, 0)
    write(team + TICKET, parts << SIZE)
    own = 0
    while compute_part(team):
        own += 1
    turns = 0
    while own + read(team + DONE) < parts:
        wait(turns)
        turns += 1
    write(team + CALLER, this_thread())


@njit
def compute_part(team):
    """Claim and compute a part of the job; return whether one was left."""
    while True:
        ticket = read(team + TICKET)
        part = ticket & MASK
        if part >= ticket >> SIZE:
            return False
        if replace(team + TICKET, ticket, ticket + 1):
            call_part(team, part)
            return True


@njit
def call_part(team, part):
    """Call the function of the job for one part, as the layer does."""
    job = team + JOB
    function, arrays, dimensions, steps = read(job), read(job + WORD), read(job + 2 * WORD), read(job + 3 * WORD)
    data, inner, count = read(job + 4 * WORD), read(job + 5 * WORD), read(job + 6 * WORD)
    own_arrays = team + PARTS + part * PART
    own_dimensions = own_arrays + MAX_ARRAYS * WORD
    for a in range(count):
        write(own_arrays + a * WORD, read(arrays + a * WORD) + part * read(steps + a * WORD))
    write(own_dimensions, 1)
    for d in range(1, inner + 1):
        write(own_dimensions + d * WORD, read(dimensions + d * WORD))
    call(function, (own_arrays, own_dimensions, steps, data))


@njit
def wait(turns):
    """Wait a moment; after SPINS turns, let another thread have the core."""
    pause()
    if turns % SPINS == SPINS - 1:
        offer_core()


@njit
def join(arrays, dimensions, steps, data):
    """Call the kernels of the replay, or help if another thread does. The layer calls this in each thread."""
    team = symbol(TEAM)
    if not is_new_member(team):
        return
    address = read(team + REPLAY)
    if address != 0 and replace(team + REPLAY, address, 0):
        write(team + CALLER, this_thread())
        write(team + CODE, replay(address))
        write(team + CALLER, TAKEN)
        write(team + TICKET, OVER)
    turns = 0
    while read(team + TICKET) != OVER:
        if compute_part(team):
            add(team + DONE, 1)
            turns = 0
        else:
            wait(turns)
            turns += 1


@njit
def is_new_member(team):
    """Note that this thread joins the team; return whether it had not joined before.

    A thread that waits for a loop within a part, which is the layer's, may be given another call of `join` meanwhile.
    """
    for m in range(read(team + MEMBERS)):
        if read(team + NAMES + m * WORD) == this_thread():
            return False
    write(team + NAMES + add(team + MEMBERS, 1) * WORD, this_thread())
    return True


@njit
def replay(address):
    """Call kernels one after the other, as many times as asked for; return 1 as soon as one fails, else 0.

    The replay at the address is the number of times, the number of kernels, and two words for each of them: the address
    of its entry, and that of its arguments.
    """
    times, kernels = read(address), read(address + WORD)
    for _ in range(times):
        for k in range(1, kernels + 1):
            pair = address + 2 * k * WORD
            if call(read(pair), (read(pair + WORD),)) != 0:
                return 1
    return 0


@njit
def run(address):
    """Run a replay with the team, unless it is taken; return what the replay returns."""
    team, threads = symbol(TEAM), np.int64(number_of_threads())
    if threads == 1 or threads > MAX_PARTS or not replace(team + CALLER, FREE, TAKEN):
        return replay(address)
    for m in range(threads):
        write(team + NAMES + m * WORD, 0)
    write(team + MEMBERS, 0)
    write(team + REPLAY, address)
    write(team + TICKET, 0)
    write(team + THREADS, threads)
    call(read(team + LAYER), (read(team + JOIN), 0, team + THREADS, 0, 0, 0, 0, threads))
    code = read(team + CODE)
    write(team + CALLER, FREE)
    return code
