"""Benchmark networks and compare them with other frameworks, which take turns in the same process.

`workload` defines the computation, `networks` and `rivals` are the contenders that run it, `comparison` times them.
`operations` times the steps of a network, and `time_to_accuracy` whole training runs. `machine` and `gpu` measure the
peak rates of the hardware, and `report` stores the results.
"""
