"""The server conforms to its OpenAPI description."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

pytest.importorskip("fastapi", reason="the extra `serve` is not installed")
pytest.importorskip("schemathesis", reason="schemathesis is not installed")

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
    "allow_header_conformance",
)


def test_generated_requests(start, weights, tmp_path, environment):
    """Send valid and invalid requests from a fixed seed.

    Do not check that valid bodies are accepted: no schema can say which bytes are a picture.
    """
    with start(*weights, "--timeout", "60") as server:
        url = f"http://127.0.0.1:{server.port}/openapi.json"
        options = ["--checks", ",".join(CHECKS), "--max-examples", "25", "--seed", "1", "--no-color"]
        program = "import sys; from schemathesis.cli import schemathesis; sys.exit(schemathesis())"
        command = [sys.executable, "-c", program, "run", url, *options]
        result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=600)
        assert result.returncode == 0, result.stdout + result.stderr
        assert '"level":"error"' not in server.log.read_text()
