"""Measure whole networks side by side with other frameworks: in one process, taking turns.

`workload` says what is computed, `networks` and `rivals` are the contenders that compute it, `comparison` times them,
`operations` times the single steps of a network and `time_to_accuracy` whole training runs. `machine` and `gpu`
measure what the hardware can reach, and `report` stores everything.
"""
