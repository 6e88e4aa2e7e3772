"""The work of each command. These modules import slow packages such as NumPy, so commands import them when they run."""
