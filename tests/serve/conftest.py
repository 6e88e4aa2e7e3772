"""Trained networks, and an application in this process."""

import asyncio
from io import BytesIO

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from fastdigits.cli import cli
from fastdigits.data import load_part


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """trained(model) returns a weights file of a network trained for one epoch, named after the model."""
    folder = tmp_path_factory.mktemp("networks")

    def trained(model):
        path = str(folder / f"{model}.h5")
        result = CliRunner().invoke(cli, ["train", "--model", model, "--epochs", "1", "--output", path])
        assert result.exit_code == 0, result.exception
        return path

    return trained


@pytest.fixture(scope="session")
def linear(trained):
    """The weights file of a linear network."""
    return trained("linear")


@pytest.fixture(scope="session")
def weights(trained, linear):
    """The weights files of two networks, lenet.h5 and linear.h5."""
    return [trained("lenet"), linear]


@pytest.fixture(scope="session")
def digits():
    """The first 200 test images of MNIST and their labels."""
    images, labels = load_part("mnist", "test")
    return images[:200], labels[:200].tolist()


@pytest.fixture(scope="session")
def picture(digits):
    """A 3 as a PNG file: dark on pink paper, in a corner, four times the size of MNIST."""
    image = np.kron(digits[0][18], np.ones((4, 4), np.uint8)).astype(int)
    page = np.full((300, 200, 3), (250, 200, 210), np.uint8)
    page[:112, 88:] -= (image[..., None] * (230, 190, 120) // 255).astype(np.uint8)
    file = BytesIO()
    Image.fromarray(page).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="session")
def app(weights):
    """An application with both networks."""
    from fastdigits.serve import create_app

    app = create_app(weights)
    yield app
    app.state.recognition.close()


@pytest.fixture(scope="session")
def ask(app):
    """ask(method, path, app=app, **options of httpx) sends a request to the application without a connection."""
    import httpx

    def ask(method, path, app=app, **content):
        async def answer():
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
                return await client.request(method, path, **content)

        return asyncio.run(answer())

    return ask


@pytest.fixture(scope="session")
def post(ask):
    """post(path, body, content_type) sends a body unchanged."""
    return lambda path, body, kind="application/json": ask("POST", path, content=body, headers={"content-type": kind})
