"""Check that the lowest versions which fit together are the lower bounds of setup.cfg.

    python .ci/bounds.py REQUIREMENTS EXTRA ...

REQUIREMENTS is what `uv pip compile --resolution lowest-direct --extra EXTRA ... setup.cfg` writes.
"""

import configparser
import sys
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version


def main() -> None:
    """Exit with a message if a bound is too low."""
    lines = [line.split("#")[0].strip() for line in Path(sys.argv[1]).read_text().splitlines()]
    lowest = {canonicalize_name(one.name): one for one in map(Requirement, filter(None, lines))}
    config = configparser.ConfigParser()
    config.read(Path(__file__).parents[1] / "setup.cfg")
    declared = config["options"]["install_requires"]
    declared += "".join(config["options.extras_require"][extra] for extra in sys.argv[2:])
    false = []
    for requirement in map(Requirement, filter(None, declared.splitlines())):
        bounds = [Version(one.version) for one in requirement.specifier if one.operator == ">="]
        (found,) = lowest[canonicalize_name(requirement.name)].specifier
        if bounds != [Version(found.version)]:
            false.append(f"{requirement}: the lowest version that fits is {found.version}")
    if false:
        sys.exit("Bounds of setup.cfg that are too low:\n" + "\n".join(false))


if __name__ == "__main__":
    main()
