"""Describe networks for tables and figures: layers, stages and filters."""
