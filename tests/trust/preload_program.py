"""Load a server, fork two processes as gunicorn --preload does, and print what each of them answers as JSON."""

import asyncio
import json
from io import BytesIO

import httpx
import numpy as np
from fork_program import forked
from PIL import Image

from fastdigits.data import load_part
from fastdigits.serve import create_app


def main() -> None:
    app = create_app((None,))
    image = load_part("mnist", "test")[0][0]
    file = BytesIO()
    Image.fromarray(255 - np.pad(image, 20)).save(file, "PNG")

    async def answers(requests: int) -> list[str]:
        """Send requests at the same time, so that the kernels for several images run too."""
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            content = {"content": file.getvalue(), "headers": {"content-type": "image/png"}}
            found = await asyncio.gather(*[client.post("/predict", **content) for _ in range(requests)])
        return [f"{answer.status_code} {answer.json().get('digit', answer.text)}" for answer in found]

    def ask(requests: int) -> str:
        return json.dumps(asyncio.run(answers(requests)))

    processes = [forked(lambda: ask(8)), forked(lambda: ask(8))]
    print(json.dumps([*map(json.loads, processes), json.loads(ask(8))]))


if __name__ == "__main__":
    main()
