"""The examples in docstrings run, and docs/api.md is made from the docstrings as they are."""

import doctest
from dataclasses import replace
from importlib import import_module, util
from pathlib import Path

import pytest
from registrations import forgotten

import fastdigits

ROOT = Path(__file__).parents[2]
PACKAGE = Path(fastdigits.__file__).parent


def modules_with_examples():
    """All but the package itself, whose example tests/test_sequential.py runs."""
    for path in sorted(PACKAGE.rglob("*.py")):
        if path != PACKAGE / "__init__.py" and ">>> " in path.read_text("utf8"):
            parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
            yield ".".join(parts).removesuffix(".__init__")


@pytest.fixture
def few_digits(monkeypatch, tmp_path):
    """A folder to work in, and `load_digits` that returns few images, so that the examples take seconds."""
    from fastdigits import data

    mnist = data.load_digits("mnist")
    few = replace(
        mnist,
        train_images=mnist.train_images[:2000],
        train_labels=mnist.train_labels[:2000],
        test_images=mnist.test_images[:500],
        test_labels=mnist.test_labels[:500],
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(fastdigits, "load_digits", lambda name="mnist": few)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(modules_with_examples()))
def test_examples_in_docstrings_run(name, request, monkeypatch):
    if name in ("fastdigits.sequential", "fastdigits.tracking.tracker"):  # their examples train networks
        request.getfixturevalue("few_digits")
    module, finder, runner = import_module(name), doctest.DocTestFinder(), doctest.DocTestRunner(verbose=False)
    tests = [test for test in finder.find(module, name) if test.examples]
    assert tests, f"{name} has examples outside of docstrings"
    tests.sort(key=lambda test: test.lineno or 0)
    with forgotten(monkeypatch):
        for test in tests:
            runner.run(test)
    assert runner.summarize(verbose=False).failed == 0


def test_the_reference_is_up_to_date():
    path = ROOT / "scripts" / "make_api_reference.py"
    spec = util.spec_from_file_location("make_api_reference", path)
    script = util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert script.PAGE.read_text("utf8") == script.page(), "run python scripts/make_api_reference.py"
