"""Inference with trained networks: evaluate, recognize, explain and compare."""
