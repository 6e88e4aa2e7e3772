"""The Dockerfile and the unit of systemd in docs/serving.md, as far as they can be checked without Docker."""

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import venv
from pathlib import Path

import pytest
from markdown_pages import ROOT, blocks

from fastdigits.cli import cli

PAGE = ROOT / "docs" / "serving.md"
START_S = 600  # of a server that compiles its kernels


def dockerfile():
    """Return the (instruction, argument) pairs of the Dockerfile."""
    [block] = [block for block in blocks(PAGE) if block.language == "dockerfile"]
    lines = re.sub(r"\\\n\s*", "", block.text).splitlines()
    return [tuple(line.split(maxsplit=1)) for line in lines]


def unit():
    """Return the text of the unit."""
    [text] = [block.text for block in blocks(PAGE) if block.text.startswith("[Unit]")]
    return text


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd")
def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path):
    """Its program is replaced by one that exists here."""
    file = tmp_path / "fastdigits.service"
    file.write_text(unit().replace("/opt/fastdigits/bin/fastdigits", sys.executable))
    result = subprocess.run(["systemd-analyze", "verify", file], capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_the_commands_of_both_are_those_of_fastdigits():
    [line] = [line.removeprefix("ExecStart=") for line in unit().splitlines() if line.startswith("ExecStart=")]
    [entry] = [argument for instruction, argument in dockerfile() if instruction == "ENTRYPOINT"]
    for program, name, *arguments in (shlex.split(line), json.loads(entry)):
        assert Path(program).name == "fastdigits"
        command = cli.get_command(cli.make_context("fastdigits", [name], resilient_parsing=True), name)
        command.make_context(name, arguments)


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.skipif(sys.platform == "win32", reason="the Dockerfile is one of Linux")
def test_what_the_dockerfile_runs_works_in_a_new_environment(tmp_path):
    """Install the package, start the server and ask the probe, as the lines of the Dockerfile do.

    A virtual environment stands for the image, and the user of this test for the one that the Dockerfile creates.
    """
    venv.create(tmp_path / "venv", with_pip=True)
    programs = tmp_path / "venv" / "bin"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "XDG_"))}
    environment |= {"PATH": f"{programs}{os.pathsep}{environment['PATH']}", "HOME": str(tmp_path)}
    copy = tmp_path / "source"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".*", "*.egg-info", "build"))
    places = {"/source": str(copy), "/home/digits": str(tmp_path)}
    port = free_port()

    def placed(text):
        for name, place in places.items():
            text = text.replace(name, place)
        return text.replace(":8000/", f":{port}/")

    probe, command = "", []
    for instruction, argument in dockerfile():
        if instruction == "ENV":
            name, _, value = argument.partition("=")
            environment[name] = placed(value)
        elif instruction == "RUN":
            commands = [one for one in argument.split(" && ") if not one.startswith("useradd")]
            subprocess.run(" && ".join(map(placed, commands)), shell=True, env=environment, cwd=tmp_path, check=True)
        elif instruction == "HEALTHCHECK":
            probe = placed(argument.partition("CMD ")[2])
        elif instruction == "ENTRYPOINT":
            command = [*json.loads(argument), "--port", str(port)]
        else:
            assert instruction in ("FROM", "COPY", "USER", "VOLUME", "EXPOSE"), instruction
    with subprocess.Popen(command, env=environment, cwd=tmp_path) as server:
        try:
            end = time.monotonic() + START_S
            while (
                code := subprocess.run(probe, shell=True, env=environment, stderr=subprocess.DEVNULL).returncode
            ) != 0:
                assert server.poll() is None
                assert time.monotonic() < end
                time.sleep(1)
            assert code == 0
            server.send_signal(signal.SIGTERM)  # as `docker stop` and systemd do
            assert server.wait(timeout=60) in (0, -signal.SIGTERM, 143)
        finally:
            server.kill()


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
