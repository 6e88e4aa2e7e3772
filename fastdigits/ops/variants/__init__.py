"""Faster variants of operations of the families; they define no new operations."""
