"""Train networks: start reading at loop.py."""
