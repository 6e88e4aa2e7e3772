"""The check of the lower bounds in setup.cfg."""

import configparser
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def lowest():
    """The lower bounds of setup.cfg as exact versions, name by name."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    declared = config["options"]["install_requires"] + config["options.extras_require"]["serve"]
    return dict(re.findall(r"^([\w-]+) >= ([\d.]+)", declared, re.MULTILINE))


def check(versions, folder):
    path = folder / "lowest.txt"
    path.write_text("# comment\n" + "".join(f"{name}=={version}\n    # via fastdigits\n" for name, version in versions))
    return subprocess.run([sys.executable, ROOT / ".ci/bounds.py", path], capture_output=True, text=True, timeout=60)


def test_bounds_that_can_be_installed_together_pass(lowest, tmp_path):
    result = check(lowest.items(), tmp_path)
    assert (result.returncode, result.stderr) == (0, "")


def test_a_bound_that_no_version_meets_is_refused(lowest, tmp_path):
    result = check((lowest | {"matplotlib": "3.99.1"}).items(), tmp_path)
    assert result.returncode == 1
    assert "matplotlib>=" in result.stderr
    assert "the lowest version that fits is 3.99.1" in result.stderr
