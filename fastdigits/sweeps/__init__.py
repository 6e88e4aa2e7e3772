"""Train many networks on several processes or machines, and store the result of every run."""

from types import ModuleType

from fastdigits.errors import import_with_packages


def load_part(name: str) -> ModuleType:
    """Import a module of this package that needs further packages; raise UserError if they are missing."""
    return import_with_packages(
        f"fastdigits.sweeps.{name}",
        lambda error: f"This needs more packages ({error}); run: pip install 'fastdigits[sweep]'.",
    )
