"""Measure the peak rates of the machine: multiply-adds in registers and memory traffic."""
