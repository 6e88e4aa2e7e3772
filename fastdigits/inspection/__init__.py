"""Describe networks for tables and pictures: layers, stages, filters."""
