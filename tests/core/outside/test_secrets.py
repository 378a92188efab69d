"""No error, log line, repr or traceback repeats a password or a token, however it was written."""

from __future__ import annotations

import json
import socket
import threading
import traceback
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as some

from orchestrator.adapters.redis.mirror import RedisMirror
from orchestrator.client.errors import SourceUnavailable
from orchestrator.client.sources import HttpSource, RedisSource, source
from orchestrator.config import load
from orchestrator.core.exceptions import BadConfig, Unavailable
from orchestrator.core.outside.redis_url import read_redis_url
from orchestrator.core.outside.secrets import masked, repeats
from tests.support.desk import Desk
from tests.support.fakes import configuration
from tests.support.station import BadSocket, Said, Station

SECRET = "Gh3im"
"""What every password holds in its middle, and no message may."""

ODD = "@:/#%?&=+ ;,!$'\"\\é*[]{}|<>"

PASSWORDS = some.builds(
    lambda before, after: f"{before}{SECRET}{after}",
    some.text("aZ09" + ODD, max_size=4),
    some.text("aZ09" + ODD, max_size=4),
)

SPELLINGS: tuple[Callable[[str], str], ...] = (
    lambda p: f"redis://:{p}@host:6379/0",
    lambda p: f"redis://:{quote(p, safe='')}@host:6379/0?key=a",
    lambda p: f"rediss://user:{p}@host/0?key=a",
    lambda p: f"rediss://{p}@host:port/0?key=a",
    lambda p: f"redis://:{p}@host:99999/0?key=a",
    lambda p: f"redis://:{p}@host/zero?key=a",
    lambda p: f"redis://host/0?password={p}",
    lambda p: f"redis://host/0?key=a&{p}",
    lambda p: f"redis://host/0?key=a&password_env={quote(p, safe='')}",
    lambda p: f"redis://host/0?key=a#{p}",
    lambda p: f"redis://host/{p}?key=a",
    lambda p: f"REDIS+sentinel://:{p}@host/0?key=a",
    lambda p: f"unix:///var/run/redis.sock?password={p}",
    lambda p: f"redis::{p}@host",
    lambda p: f"user:{p}@host:6379",
    lambda p: f"redis://[:{p}@host]:6379/0?key=a",
    lambda p: f"redis://:1234/{p}@host/0?key=a",
    lambda p: f"redis://user:1234?{p}=b@host/0",
    lambda p: f"https://user:{p}@host/a.json",
    lambda p: f"https://user:12/{p}@host/a.json",
    lambda p: f"https://user:x{p}@[host/a.json",
    lambda p: f"https://host:x{p}/a.json?key={p}",
    lambda p: f"https://user%3A{quote(p, safe='')}%40host/a.json",
    lambda p: f"https://host/a.json?key={p}",
    lambda p: f"ssm://key:{p}@us-east-1",
    lambda p: f"ssm://key:{p}@us-east-1/failover/checkout",
    lambda p: f"gs://key:{p}@bucket",
    lambda p: f"gs://key:{p}@bucket/checkout.json",
    lambda p: f"file://key:{p}@host/checkout.json",
)


def told(error: BaseException) -> str:
    """All that a log can say of an error: itself, its repr, and the traceback with its causes."""
    return f"{error} {error!r} {''.join(traceback.format_exception(error, chain=True))}"


def as_raised(error: BaseException) -> str:
    """The same without the lines of this file, which have the URL in them."""
    lines = told(error).splitlines()
    return "\n".join(line for line in lines if "lambda" not in line)


def shown(make: Callable[[], object]) -> str:
    """All that can be seen of what is made, or of why it is not. Only ValueError is raised."""
    try:
        made = make()
    except ValueError as error:
        return as_raised(error)
    return f"{made!r} {getattr(made, 'name', '')} {getattr(made, 'shown', '')}"


@pytest.mark.parametrize("spelling", SPELLINGS)
@given(password=PASSWORDS)
def test_no_spelling_of_a_url_is_repeated_by_a_source(
    spelling: Callable[[str], str], password: str
) -> None:
    assert SECRET not in shown(lambda: source(spelling(password)))


@given(password=PASSWORDS, spelling=some.sampled_from(SPELLINGS))
def test_the_reader_of_redis_urls_shows_none(spelling: Callable[[str], str], password: str) -> None:
    assert SECRET not in shown(lambda: read_redis_url(spelling(password)))


def mirrored(url: str) -> dict[str, Any]:
    """A configuration with this URL of a mirror."""
    return {**configuration(), "mirrors": {"redis": {"urls": [url]}}}


WRITINGS: tuple[Callable[[str], Any], ...] = (
    mirrored,
    lambda url: {**configuration(), "mirrors": {"redis": {"urls": url}}},
    lambda url: {**configuration(), "mirrors": {"redis": {"urls": {url: None}}}},
    lambda url: {**configuration(), "mirrors": {"redis": url}},
    lambda url: {**configuration(), "mirrors": url},
    lambda url: {**configuration(), "mirrors": {url: None}},
    lambda url: {**configuration(), "state": url},
    lambda url: {**configuration(), url: 1},
)


@given(
    password=some.builds(lambda t: f"{t}{SECRET}{t}", some.text("aZ0:/#%'\"\\é", max_size=3)),
    writing=some.sampled_from(WRITINGS),
    spelling=some.sampled_from(SPELLINGS[:4]),
)
def test_a_password_anywhere_in_the_file_is_not_repeated(
    password: str, writing: Callable[[str], Any], spelling: Callable[[str], str]
) -> None:
    text = json.dumps(writing(spelling(password)))
    with pytest.raises(BadConfig) as refused:
        load(text, "failover.yaml")
    assert SECRET not in as_raised(refused.value)


@pytest.mark.parametrize(
    "line",
    [
        f'urls: ["redis://:{SECRET}@host]',
        f"urls: [redis://:{SECRET}@host, *a",
        f"urls: redis: //:{SECRET}@host: x",
        f"\turls: redis://:{SECRET}@host",
        f"redis://:{SECRET}@host: 1\nredis://:{SECRET}@host: 2",
        f"urls: ['redis://:{SECRET}@host'\x00]",
    ],
)
def test_a_line_that_is_no_yaml_is_named_by_its_number_and_not_quoted(line: str) -> None:
    with pytest.raises(BadConfig, match="not YAML") as refused:
        load(line, "failover.yaml")
    assert SECRET not in as_raised(refused.value)


def test_check_repeats_no_password_of_the_file(tmp_path: Path) -> None:
    """In both forms of the answer, from the command line to the end of the process."""
    desk = Desk(tmp_path)
    desk.write()
    content = yaml.safe_load(desk.config.read_text())
    for spelling in SPELLINGS[:8]:
        content["mirrors"] = {"redis": {"urls": [spelling(SECRET)]}}
        desk.config.write_text(yaml.safe_dump(content))
        for arguments in (("check",), ("check", "--json"), ("status", "--json")):
            found = desk.run(*arguments)
            assert found.exit_code
            assert SECRET not in found.output


# --- what a server says --------------------------------------------------------------------------

PASSWORD = f"{SECRET}@:/#%secret"
ANSWERS = {
    "a server without the command": (
        f"-ERR unknown command 'AUTH', with args beginning with: '{PASSWORD}', \r\n"
    ),
    "one that cuts it short": f"-ERR unknown command 'AUTH', with args: '{PASSWORD[:7]}\r\n",
    "a refusal that quotes it": f"-WRONGPASS invalid password {PASSWORD}\r\n",
    "no Redis at all": f"HTTP/1.1 400 {PASSWORD}\r\n\r\n",
    "an echo in capitals": f"-ERR {PASSWORD.upper()}\r\n",
}


def echo(answer: str) -> BadSocket:
    """A server that answers everything so."""

    def serve(connection: socket.socket, over: threading.Event) -> None:
        del over
        connection.recv(4096)
        connection.sendall(answer.encode() * 4)

    return BadSocket(serve)


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS.keys())
def test_a_server_that_repeats_the_password_is_not_quoted(answer: str) -> None:
    with echo(answer) as server:
        url = read_redis_url(f"redis://:{quote(PASSWORD, safe='')}@127.0.0.1:{server.port}/0")
        with pytest.raises(SourceUnavailable) as missed:
            RedisSource(url, "k").fetch(None)
        mirror = RedisMirror(url, "k", None, "")
        with pytest.raises(Unavailable) as refused:
            mirror.publish("checkout", 1, b"{}")
        with pytest.raises(Unavailable) as unread:
            mirror.revision("checkout")
    for error in (missed.value, refused.value, unread.value):
        assert SECRET.lower() not in as_raised(error).lower()
        assert type(error).__name__ in told(error)


@pytest.mark.parametrize("name", [SECRET, f"{SECRET}\udc80", f"{SECRET}\x00"])
def test_a_password_that_cannot_be_sent_is_not_quoted(name: str) -> None:
    with echo("-ERR no\r\n") as server:
        url = read_redis_url(f"redis://127.0.0.1:{server.port}/0")
        with pytest.raises(SourceUnavailable) as missed:
            RedisSource(url, "k", password=name).fetch(None)
        with pytest.raises(Unavailable) as refused:
            RedisMirror(url, "k", name).publish("checkout", 1, b"{}")
    assert SECRET not in as_raised(missed.value) + as_raised(refused.value)


@pytest.mark.parametrize(
    "headers",
    [{"Authorization": f"Bearer {SECRET}\n"}, {"X-Key": f"{SECRET}\r\nHost: evil"}, {}],
)
def test_a_header_or_query_that_cannot_be_sent_is_not_quoted(headers: dict[str, str]) -> None:
    with closing(Station(lambda _: Said(200, b"{}"))) as station:
        made = HttpSource(f"{station.url}/a.json?token={SECRET} x\x7f", headers=headers)
        with pytest.raises(SourceUnavailable) as refused:
            made.fetch(None)
    assert SECRET not in as_raised(refused.value)
    assert SECRET not in made.name


def test_what_a_health_url_asks_with_is_not_shown(tmp_path: Path) -> None:
    """A key in its query is for the region alone."""
    desk = Desk(tmp_path)
    desk.write()
    content = yaml.safe_load(desk.config.read_text())
    content["probe"] = {"timeout": "100ms"}
    regions = content["services"]["checkout"]["regions"]
    for region in regions.values():
        region["health_url"] = f"http://127.0.0.1:9/healthz?key={SECRET}"
    desk.config.write_text(yaml.safe_dump(content))
    refused = desk.run("check")  # all have the same one
    assert "of checkout's too" in refused.output
    assert SECRET not in refused.output
    for number, region in enumerate(regions.values()):
        region["health_url"] = f"http://127.0.0.1:{number + 1}/healthz?key={SECRET}"
    desk.config.write_text(yaml.safe_dump(content))
    assert desk.routing.exists()
    for verb in ("check", "status", "explain"):
        for form in ((), ("--json",)):
            found = desk.run(verb, *form)
            assert SECRET not in found.output, verb
    assert "http://127.0.0.1:1/healthz?*** says" in desk.run("check").output


@given(text=some.text("ab:/@?#. é", max_size=30))
def test_what_is_masked_keeps_nothing_in_front_of_the_last_at_or_behind_the_query(
    text: str,
) -> None:
    shown = masked(f"{text}?{SECRET}")
    assert SECRET not in shown
    assert SECRET not in masked(f"redis://{SECRET}{text}@host")


@given(secret=PASSWORDS)
@example(secret="0'Gh3im\"")
def test_a_secret_is_found_in_the_spellings_of_libraries(secret: str) -> None:
    for text in (
        secret,
        repr(secret),
        ascii(secret),
        repr(secret.encode()),
        quote(secret, safe=""),
    ):
        assert repeats(f"it said {text}.", [None, secret])
    assert not repeats("connection refused", [secret, "", None])
