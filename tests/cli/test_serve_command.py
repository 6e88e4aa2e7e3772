"""The options of `fastdigits serve` are checked before a network is loaded."""

import pytest
from click.testing import CliRunner

from fastdigits.cli import cli


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--allow-host", "https://example.org", "'https://example.org' is not a name such as example.org"),
        ("--allow-host", "example.org:8000", "without a scheme and a port"),
        ("--allow-host", "", "is not a name"),
        ("--allow-origin", "example.org", "is not a site such as https://example.org"),
        ("--allow-origin", "https://example.org/", "without a path"),
        ("--root-path", "digits", "is not a path such as /digits"),
        ("--root-path", "/digits?x", "is not a path such as /digits"),
        ("--root-path", "//evil.example", "is not a path such as /digits"),
    ],
)
def test_values_that_cannot_be_right_are_refused(option, value, message):
    result = CliRunner().invoke(cli, ["serve", option, value, "none.h5"])
    assert result.exit_code == 2
    assert option in result.output
    assert message in " ".join(result.output.split())
