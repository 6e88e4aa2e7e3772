"""Requests from other sites are refused, and every answer has security headers. The application here is a small one."""

import asyncio

import pytest

pytest.importorskip("fastapi", reason="the extra `serve` is not installed")

import httpx
from starlette.applications import Starlette
from starlette.responses import FileResponse, PlainTextResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from fastdigits.serve.app import STATIC
from fastdigits.serve.guard import SECURITY_HEADERS, Gateway, Guard, Hosts


async def thing(request):
    return PlainTextResponse(request.url.path)


async def file(request):
    return FileResponse(STATIC / "index.html")


ROUTES = [
    Route("/thing", thing, methods=["GET", "POST"]),
    Route("/", file),
    Mount("/static", StaticFiles(directory=STATIC)),
]


def ask(method, path, headers=(), hosts=("*",), origins=(), root_path=""):
    """Send a request to the small application behind both middlewares."""
    app = Gateway(Guard(Starlette(routes=ROUTES), Hosts(hosts), origins), root_path)

    async def answer():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:8000") as client:
            return await client.request(method, path, headers=dict(headers))

    return asyncio.run(answer())


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LocalHost:8000", 200),
        ("localhost.", 200),
        ("127.0.0.1:9", 200),
        ("[::1]:8000", 200),
        ("[0:0:0:0:0:0:0:1]", 200),
        ("10.1.2.3", 200),
        ("example.org:443", 200),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("xlocalhost", 421),
        ("sub.example.org", 421),
        ("127.0.0.2", 421),
        ("11.1.2.3", 421),
        ("[::2]", 421),
        ("", 400),
        ("localhost evil.example", 400),
        ("evil.example@localhost", 400),
        ("localhost/", 400),
        ("[::1", 400),
        ("10.0.0.0/8", 400),
    ],
)
def test_only_hosts_of_the_server_are_served(host, status):
    hosts = ["localhost", "127.0.0.1", "::1", "10.0.0.0/8", "Example.org"]
    answer = ask("GET", "/thing", {"host": host}, hosts)
    assert answer.status_code == status
    assert SECURITY_HEADERS.items() <= {name.title(): value for name, value in answer.headers.items()}.items()
    if status != 200:
        assert list(answer.json()) == ["error"]
    if status == 421:
        assert f"--allow-host {host.strip('[]').partition(':8')[0]}" in answer.json()["error"]


def test_any_host_is_served_if_all_are_allowed():
    assert ask("GET", "/thing", {"host": "evil.example"}, ["*"]).status_code == 200


OWN = "http://127.0.0.1:8000"
OTHER = "https://evil.example"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),  # a program
        ({"origin": OWN}, 200),
        ({"origin": OWN, "sec-fetch-site": "same-origin"}, 200),
        ({"origin": OTHER, "sec-fetch-site": "same-origin"}, 200),  # a proxy has changed the host
        ({"sec-fetch-site": "none"}, 200),
        ({"origin": "https://example.org", "sec-fetch-site": "cross-site"}, 200),  # allowed
        ({"origin": "https://example.org"}, 200),
        ({"origin": OTHER}, 403),
        ({"origin": OTHER, "sec-fetch-site": "cross-site"}, 403),
        ({"origin": OWN, "sec-fetch-site": "cross-site"}, 403),
        ({"origin": "http://127.0.0.1:3000"}, 403),  # another server of this machine
        ({"origin": "http://127.0.0.1:3000", "sec-fetch-site": "same-site"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": ""}, 403),
        ({"origin": "http://example.org"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
    ],
)
@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=x", "text/plain", "application/json"])
def test_pages_of_other_sites_may_not_post(headers, status, kind):
    answer = ask("POST", "/thing", {"content-type": kind, **headers}, origins=["https://example.org"])
    assert answer.status_code == status
    assert (status == 403) == ("--allow-origin" in answer.text)
    assert ask("GET", "/thing", headers).status_code == 200  # their pages cannot read it
    assert ask("POST", "/thing", headers, origins=["*"]).status_code == 200


def test_ranges_are_ignored():
    whole = ask("GET", "/")
    for given in ("bytes=0-9", "bytes=99999-", "bytes=x", "lines=0-1", "bytes=" + ",".join(["0-"] * 5000)):
        for path in ("/", "/static/index.html"):
            answer = ask("GET", path, {"range": given, "if-range": '"x"'})
            assert (answer.status_code, answer.content) == (200, whole.content)
            assert answer.headers["accept-ranges"] == "none"


@pytest.mark.parametrize("removed", [True, False], ids=["removed", "kept"])
def test_a_proxy_may_remove_the_root_path_or_keep_it(removed):
    prefix = "" if removed else "/digits"
    assert ask("GET", f"{prefix}/thing", root_path="/digits").text == "/digits/thing"
    assert ask("GET", f"{prefix}/static/page.js", root_path="/digits/").status_code == 200
    assert ask("GET", f"{prefix}/thing/", root_path="/digits").headers["location"] == "/digits/thing"
    assert ask("GET", f"{prefix}/digits/thing", root_path="/digits").status_code == (200 if removed else 404)
    if not removed:  # links of the page are relative to the folder
        assert ask("GET", "/digits", root_path="/digits").headers["location"] == "/digits/"
    assert ask("GET", "/digitsx/thing", root_path="/digits").status_code == 404


def test_redirects_lead_to_no_other_host():
    answer = ask("GET", "/thing/?x=1", {"host": "evil.example"})
    assert (answer.status_code, answer.headers["location"]) == (307, "/thing?x=1")
