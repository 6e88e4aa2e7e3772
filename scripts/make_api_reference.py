"""Write docs/api.md, the reference of all public names, from their docstrings."""

import inspect
from importlib import import_module
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[1] / "docs" / "api.md"
MODULES = {
    "fastdigits": "Build, train and use networks.",
    "fastdigits.extend": "Add layers, losses and more from outside of the package.",
    "fastdigits.sklearn": "A classifier for scikit-learn.",
}
HEAD = """# API reference

All public names, with their docstrings. `python scripts/make_api_reference.py` writes this page.
[The Python interface](python.md) shows how to use them.
"""


def public_names(module: Any) -> list[str]:
    """Return the names that a module offers: those of `__all__`, or else the classes that it defines."""
    defined = [name for name, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__]
    return list(getattr(module, "__all__", [name for name in defined if inspect.isclass(getattr(module, name))]))


def entry(name: str, value: Any, level: int = 3) -> str:
    """Return the section of a class, a function or a method."""
    signature = f"{name}{_signature(value)}"
    text = f"{'#' * level} {name}\n\n```text\n{signature}\n\n{inspect.getdoc(value) or ''}\n```\n"
    if not inspect.isclass(value):
        return text
    members = [(member, one) for member, one in vars(value).items() if not member.startswith("_")]
    methods = [(member, one) for member, one in members if inspect.isfunction(one) and one.__doc__]
    return "\n".join([text, *(entry(f"{name}.{member}", one, level + 1) for member, one in methods)])


def page() -> str:
    """Return the content of the page."""
    sections, seen = [HEAD], set()
    for module_name, purpose in MODULES.items():
        module = import_module(module_name)
        sections.append(f"## {module_name}\n\n{purpose}\n")
        for name in public_names(module):
            value = getattr(module, name)
            if id(value) not in seen:
                seen.add(id(value))
                sections.append(entry(name, value))
    return "\n".join(sections)


def _signature(value: Any) -> str:
    """Return the parameters; annotations are left out where they only repeat the docstring."""
    try:
        signature = inspect.signature(value)
    except ValueError:
        return "()"
    plain = [one.replace(annotation=one.empty) for one in signature.parameters.values() if one.name != "self"]
    return str(signature.replace(parameters=plain, return_annotation=signature.empty))


if __name__ == "__main__":
    PAGE.write_text(page(), "utf8")
