"""Use trained networks: evaluate, recognize, explain, compare."""
