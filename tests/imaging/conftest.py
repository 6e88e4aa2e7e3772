"""The generator of pictures in scripts/, for the tests of imaging and of the reader."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
