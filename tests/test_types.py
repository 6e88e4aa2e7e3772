"""The types of the package: shipped with it, and checked by mypy."""

import configparser
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_wheel_has_the_marker_of_typed_packages():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf8")
    assert "py.typed" in config["options.package_data"]["fastdigits"]
    assert (ROOT / "fastdigits" / "py.typed").is_file()


def test_mypy_ignores_no_errors_of_whole_modules():
    """Modules that Numba compiles may lack types, and packages without types may be imported; nothing else."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))["tool"]["mypy"]
    assert settings["packages"] == ["fastdigits"]
    assert settings["check_untyped_defs"]
    assert settings["disallow_untyped_defs"]
    blanket = {"ignore_errors", "disable_error_code"}
    assert not blanket & set(settings)
    assert "ignore_missing_imports" not in settings
    for override in settings["overrides"]:
        assert not blanket & set(override)
        if override.get("ignore_missing_imports"):
            assert not any(module.startswith("fastdigits") for module in override["module"])
        else:
            assert all(module.startswith(("fastdigits.ops.", "numba.cuda")) for module in override["module"])
