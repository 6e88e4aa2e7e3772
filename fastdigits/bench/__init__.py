"""Whole networks measured side by side with other frameworks, in one process and in turns.

`race` measures, `rivals` are the other frameworks, `machine` says what the machine can do at most.
"""
