"""Only the owner opens the pages: no other page of the browser, no rebound name, nobody without the token.

Every request goes to a real ``asco up``. Those that must be refused carry the cookie, as the engineer's
browser would send it.
"""

import json
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import psutil
import pytest

from asco_dagster.operations.services.doors import host_names
from asco_testing.served_pages import Answer, Up, ask_raw, below, events, graphql, send_raw, served

pytestmark = pytest.mark.slow

JSON = ("Content-Type", "application/json")
LAUNCH = (
    'mutation Launch {launchRun(executionParams: {selector: {repositoryLocationName: "small", '
    'repositoryName: "__repository__", jobName: "small_job"}}) {__typename}}'
)
WIPE = 'mutation {wipeAssets(assetPartitionRanges: [{assetKey: {path: ["est_small__table"]}}]) {__typename}}'
REPORTS = ("materialization", "check", "observation")


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with served(tmp_path_factory.mktemp("up")) as running:
        page = running.home / "quality" / "2014" / "index.html"
        page.parent.mkdir(parents=True)
        page.write_text("quality of 2014")
        yield running


@pytest.fixture
def unchanged(up: Up) -> Iterator[None]:
    """No run was started, nothing was reported on the asset."""
    before = events(up)
    yield
    assert events(up) == before


def browser(up: Up, *more: tuple[str, str]) -> list[tuple[str, str]]:
    """Headers of the engineer's browser."""
    return [("Cookie", up.cookie), ("Accept", "text/html,*/*"), *more]


def posted(up: Up, *more: tuple[str, str], path: str = "/graphql", query: str = LAUNCH) -> Answer:
    return ask_raw(up.port, f"POST {path}", browser(up, *more), json.dumps({"query": query}))


HOSTS = (
    *(
        "evil.example",
        "evil.example:{port}",
        "127.0.0.1.evil.example:{port}",
        "localhost.evil.example:{port}",
    ),
    *("127.0.0.1", "127.0.0.1:80", "127.0.0.1:{other}", "127.0.0.2:{port}", "0.0.0.0:{port}", "[::1]:{port}"),
    *("localhost.:{port}", "127.1:{port}", "2130706433:{port}", "0x7f000001:{port}", ""),
    *("user@127.0.0.1:{port}", "127.0.0.1:{port}, evil.example", "127.0.0.1:{port}/", "127.0.0.1:{port}#"),
    *("[::ffff:127.0.0.1]:{port}", "[::1%25lo]:{port}", "127.0.0.1:{port}:{port}", "127.0.0.1:0{port}0"),
)


@pytest.mark.parametrize("host", HOSTS)
def test_another_host_is_refused_by_both_servers(up: Up, host: str, unchanged: None) -> None:
    for port in (up.port, up.quality_port):
        named = host.format(port=port, other=port + 1)
        origin = ("Origin", f"http://{named}")
        for line in ("GET /", "GET /server_info", "GET /metrics", "GET /quality/2014/"):
            answer = ask_raw(port, line, browser(up), host=named)
            assert answer.status == 400, (port, line)
            assert "ASCO_UI_URL" in answer.text or answer.text.startswith("Invalid HTTP"), answer.text
        body = json.dumps({"query": LAUNCH})
        assert ask_raw(port, "POST /graphql", browser(up, JSON, origin), body, host=named).status == 400


def test_two_hosts_and_none_are_refused(up: Up, unchanged: None) -> None:
    for port in (up.port, up.quality_port):
        own = f"Host: 127.0.0.1:{port}\r\n"
        cookie = f"Cookie: {up.cookie}\r\nConnection: close\r\n\r\n"
        for head in (
            f"GET / HTTP/1.1\r\n{own}Host: evil.example\r\n",
            "GET / HTTP/1.1\r\n",
            "GET / HTTP/1.0\r\n",
        ):
            assert send_raw(port, f"{head}{cookie}".encode()).status == 400
        # an absolute target names its own host, which no browser sends to a server
        for target in ("http://evil.example/", f"http://127.0.0.1:{port}/", "evil", "*"):
            assert send_raw(port, f"GET {target} HTTP/1.1\r\n{own}{cookie}".encode()).status == 400


@pytest.mark.parametrize(
    "host", ["127.0.0.1:{port}", "localhost:{port}", "LOCALHOST:{port}", "LocalHost:{port}"]
)
def test_the_own_hosts_open(up: Up, host: str) -> None:
    assert ask_raw(up.port, "GET /", browser(up), host=host.format(port=up.port)).status == 200
    named = host.format(port=up.quality_port)
    assert ask_raw(up.quality_port, "GET /quality/2014/", browser(up), host=named).text == "quality of 2014"


ORIGINS = (
    *("http://evil.example", "https://evil.example", "null", "", "file://", "http://127.0.0.1"),
    *("http://127.0.0.1:{other}", "http://localhost:{port}", "http://127.0.0.1:{port}.evil.example"),
    *("ws://127.0.0.1:{port}", "http://127.0.0.1:{port} http://evil.example", "http://evil@127.0.0.1:{port}"),
)


@pytest.mark.parametrize("origin", ORIGINS)
def test_another_origin_neither_reads_nor_writes(up: Up, origin: str, unchanged: None) -> None:
    foreign = ("Origin", origin.format(port=up.port, other=up.quality_port))
    for query in (LAUNCH, WIPE, "{version}"):
        assert posted(up, JSON, foreign, query=query).status == 403
        assert ask_raw(up.port, f"GET /graphql?query={quote(query)}", browser(up, foreign)).status == 403
    for kind in REPORTS:
        assert posted(up, JSON, foreign, path=f"/report_asset_{kind}/est_small__table").status == 403
    for path in ("/", "/server_info", "/logs/a/b.out", "/notebook", "/download_debug/x", "/favicon.png"):
        answer = ask_raw(up.port, f"GET {path}", browser(up, foreign))
        assert answer.status == 403
        assert not [name for name in answer.headers if name.startswith("access-control")]
    elsewhere = ("Origin", origin.format(port=up.quality_port, other=up.port))
    for path in ("/", "/quality/2014/", "/metrics"):
        assert ask_raw(up.quality_port, f"GET {path}", browser(up, elsewhere)).status == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site", "unheard-of"])
@pytest.mark.parametrize(
    ("mode", "destination"),
    [
        ("no-cors", "image"),
        ("no-cors", "script"),
        ("cors", "empty"),
        ("navigate", "iframe"),
        ("websocket", ""),
    ],
)
def test_what_another_page_embeds_is_refused(up: Up, site: str, mode: str, destination: str) -> None:
    fetched = [("Sec-Fetch-Site", site), ("Sec-Fetch-Mode", mode), ("Sec-Fetch-Dest", destination)]
    for path in ("/", "/server_info", "/graphql", "/favicon.png", "/logs/a/b.out"):
        assert ask_raw(up.port, f"GET {path}", browser(up, *fetched)).status == 403
    for path in ("/", "/quality/2014/", "/metrics"):
        assert ask_raw(up.quality_port, f"GET {path}", browser(up, *fetched)).status == 403
    # a form that is sent elsewhere opens a page, too
    sent = [("Sec-Fetch-Site", site), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")]
    assert posted(up, JSON, *sent).status == 403


KINDS = (
    *("text/plain", "text/plain; application/json", "text/plain;x=application/json", "application/graphql"),
    *("application/x-www-form-urlencoded", "multipart/form-data; boundary=application/json", ""),
    *("application/jsonp", "text/json", "application/json, text/plain", "x/application/json"),
    "Application/JSON",
)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_json_changes_nothing(up: Up, kind: str, unchanged: None) -> None:
    """Even from the pages themselves: a form of any page can send these kinds without asking first."""
    own = ("Origin", up.base)
    asked = f"/graphql?query={quote(LAUNCH)}"
    for path in ("/graphql", asked, *(f"/report_asset_{kind}/est_small__table" for kind in REPORTS)):
        assert posted(up, own, ("Content-Type", kind), path=path).status == 415
        assert posted(up, own, path=path).status == 415
        assert posted(up, own, JSON, ("Content-Type", "text/plain"), path=path).status == 415
        assert ask_raw(up.port, f"POST {path}", browser(up, own)).status == 415


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "QUERY", "get", "post"])
def test_other_methods_are_refused(up: Up, method: str, unchanged: None) -> None:
    own = browser(up, JSON, ("Origin", up.base), ("Access-Control-Request-Method", "POST"))
    for path in (f"/graphql?query={quote(LAUNCH)}", "/report_asset_materialization/est_small__table"):
        answer = ask_raw(up.port, f"{method} {path}", own, json.dumps({"query": LAUNCH}))
        assert answer.status == 405
        assert not [name for name in answer.headers if name.startswith("access-control")]
    elsewhere = browser(up, JSON, ("Origin", up.quality))
    assert ask_raw(up.quality_port, f"{method} /quality/2014/index.html", elsewhere).status == 405


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/graphql",
            "/graphql%0A",
            "/%67raphql",
            "/graphql/",
            "//graphql",
            "/./graphql",
            "/GRAPHQL",
            "/graphql%00",
        ),
        *(
            "/graphql%20",
            "/graphql;x",
            "/graphql%2F",
            "/server_info/../graphql",
            "/graphql%0D%0A",
            "/\\graphql",
        ),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_nothing_is_executed_by_get(up: Up, path: str, method: str, unchanged: None) -> None:
    document = f"query Look {{version}} {LAUNCH}"
    for query in (
        f"query={quote(LAUNCH)}",
        f"query={quote(document)}&operationName=Launch",
        f"operationName=Look&operationName=Launch&query={quote(document)}",
        "query={version}",
    ):
        for accept in ("application/json", "*/*", "text/html"):
            asked = [("Cookie", up.cookie), ("Accept", accept), ("Origin", up.base)]
            answer = ask_raw(up.port, f"{method} {path}?{query}", asked)
            assert '"data"' not in answer.text
            assert "launchRun" not in answer.text
            assert answer.status < 500


def test_reports_are_not_taken_by_get(up: Up, unchanged: None) -> None:
    for kind in REPORTS:
        path = f"/report_asset_{kind}/est_small__table"
        assert ask_raw(up.port, f"GET {path}", browser(up, ("Origin", up.base))).status in (200, 405)


WITHOUT = (
    *([], [("Cookie", "asco=x")], [("Cookie", "asco_{port}=")], [("Cookie", "asco_{port}={wrong}")]),
    *(
        [("Authorization", "Bearer")],
        [("Authorization", "Bearer {wrong}")],
        [("Authorization", "Basic {token}")],
    ),
    *([("Cookie", "asco_1={token}")], [("Authorization", "{token}")], [("Authorization", "Bearer é")]),
)


@pytest.mark.parametrize("shown", WITHOUT)
def test_without_the_token_nothing_opens(up: Up, shown: list[tuple[str, str]], unchanged: None) -> None:
    given = {"port": up.port, "token": up.token, "wrong": "x" * len(up.token)}
    headers = [(name, value.format(**given)) for name, value in shown]
    own = ("Origin", up.base)
    for path in (
        "/",
        "/graphql",
        "/assets",
        "/logs/a/b.out",
        "/download_debug/x",
        "/?token=",
        "/?token=wrong",
    ):
        assert ask_raw(up.port, f"GET {path}", headers).status == 401
    for path in ("/graphql", "/report_asset_materialization/est_small__table"):
        asked = [*headers, JSON, own]
        assert (
            ask_raw(up.port, f"POST {path}?token={up.token}", asked, '{"query": "{version}"}').status == 401
        )
    for path in ("/", "/quality/2014/", "/releases/2014/latest/report/"):
        answer = ask_raw(up.quality_port, f"GET {path}", headers)
        assert (answer.status, "2014" in answer.text) == (401, False)


def test_probes_and_collectors_need_no_token(up: Up) -> None:
    assert set(json.loads(ask_raw(up.port, "GET /server_info").text)) == {
        *("dagster_version", "dagster_webserver_version", "dagster_graphql_version")
    }
    metrics = ask_raw(up.quality_port, "GET /metrics")
    assert metrics.status == 200
    assert 'asco_releases{wave="2014"} 0.0' in metrics.text
    # … and each is open on its own server alone
    assert ask_raw(up.quality_port, "GET /server_info").status == 401
    assert ask_raw(up.port, "GET /metrics").status == 401


def test_a_program_shows_the_token_and_a_page_its_cookie_and_origin(up: Up) -> None:
    body = json.dumps({"query": "{version}"})
    bearer = ("Authorization", f"Bearer {up.token}")
    assert ask_raw(up.port, "POST /graphql", [bearer, JSON], body).status == 200
    own = ("Origin", up.base)
    utf8 = ("Content-Type", "application/json; charset=utf-8")
    assert ask_raw(up.port, "POST /graphql", [("Cookie", up.cookie), utf8, own], body).status == 200
    # a cookie alone does not tell which page sends it
    assert ask_raw(up.port, "POST /graphql", [("Cookie", up.cookie), JSON], body).status == 403
    assert (
        ask_raw(up.port, "POST /graphql", [bearer, JSON, ("Origin", "http://evil.example")], body).status
        == 403
    )


def test_the_printed_address_gives_a_strict_cookie_and_loses_the_token(up: Up) -> None:
    answer = ask_raw(up.port, f"GET /runs?a=b%20c&token={up.token}&d=")
    assert answer.status == 303
    assert answer.headers["location"] == f"{up.base}/runs?a=b+c&d="
    assert answer.headers["set-cookie"] == f"{up.cookie}; HttpOnly; Path=/; SameSite=strict"
    assert f"/?token={up.token}" in up.printed
    # a path with two slashes leads to no other host
    assert (
        ask_raw(up.port, f"GET //evil.example/?token={up.token}")
        .headers["location"]
        .startswith(f"{up.base}//")
    )


def test_a_link_of_another_page_opens_from_here(up: Up) -> None:
    """A browser withholds the strict cookie on a link of another site, and sends it on one of this page."""
    opened = [
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Mode", "navigate"),
        ("Sec-Fetch-Dest", "document"),
    ]
    answer = ask_raw(up.port, 'GET /assets/x?view=checks&"><script>', opened)
    assert answer.status == 200
    address = f"{up.base}/assets/x?view=checks&amp;&quot;&gt;&lt;script&gt;"
    assert f'content="0; url={address}"' in answer.text
    assert "<script" not in answer.text
    assert f"{up.base}//evil.example/" in ask_raw(up.port, "GET //evil.example/", opened).text


def test_whoever_has_no_token_is_asked_for_it(up: Up) -> None:
    answer = ask_raw(up.port, 'GET /assets/x?view=checks&b="><script>', [("Accept", "text/html")])
    assert answer.status == 401
    assert "asco up" in answer.text
    assert '<input type="hidden" name="view" value="checks">' in answer.text
    assert '<input name="token" type="password"' in answer.text
    assert "<script" not in answer.text


def opened_socket(up: Up, *headers: tuple[str, str]) -> int:
    upgrade = [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13")]
    key = ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
    protocol = ("Sec-WebSocket-Protocol", "graphql-ws")
    return ask_raw(up.port, "GET /graphql", [*upgrade, key, protocol, *headers]).status


@pytest.mark.parametrize("origin", [*ORIGINS, None])
def test_a_web_socket_of_another_origin_is_refused(up: Up, origin: str | None) -> None:
    told = [("Origin", origin.format(port=up.port, other=up.quality_port))] if origin is not None else []
    assert opened_socket(up, ("Cookie", up.cookie), *told) == 403


def test_a_web_socket_of_the_pages_opens_with_the_cookie(up: Up) -> None:
    own = ("Origin", up.base)
    assert opened_socket(up, ("Cookie", up.cookie), own) == 101
    assert opened_socket(up, ("Authorization", f"Bearer {up.token}")) == 101
    assert opened_socket(up, own) == 403
    assert opened_socket(up, ("Cookie", up.cookie), own, ("Sec-Fetch-Site", "same-site")) == 403


def test_every_answer_forbids_to_be_framed_or_read_elsewhere(up: Up) -> None:
    asked = [(up.port, "/"), (up.port, "/favicon.png"), (up.port, "/server_info"), (up.port, "/none?token=x")]
    for port, path in [*asked, (up.quality_port, "/quality/2014/"), (up.quality_port, "/none")]:
        for headers in ([], browser(up)):
            answer = ask_raw(port, f"GET {path}", headers)
            assert answer.headers["x-frame-options"] == "SAMEORIGIN"
            assert answer.headers["cross-origin-resource-policy"] == "same-origin"
            assert answer.headers["cross-origin-opener-policy"] == "same-origin"
            assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_token_is_known_to_the_webserver_alone(up: Up) -> None:
    graphql(up, "{repositoriesOrError{__typename}}")  # code servers are running
    holders = [process for process in below(up) if up.token in str(process.environ())]
    assert len(holders) == 1
    assert "asco_dagster.operations.services.dagster_webserver" in holders[0].cmdline()
    commands = [" ".join(process.cmdline()) for process in below(up)]
    assert any("api grpc" in command for command in commands)
    assert not [command for command in commands if up.token in command]
    files = [path for path in up.home.rglob("*") if path.is_file() and not path.is_symlink()]
    assert not [path for path in files if up.token.encode() in path.read_bytes()]


def test_nothing_but_the_pages_listens(up: Up) -> None:
    """Code servers and PostgreSQL have Unix sockets, in folders or with modes that are their owner's."""
    graphql(up, "{repositoriesOrError{__typename}}")
    listening = {
        (connection.laddr.ip, connection.laddr.port)
        for process in below(up)
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {("127.0.0.1", up.port), ("127.0.0.1", up.quality_port)}
    sockets = {
        Path(connection.laddr)
        for process in below(up)
        for connection in process.net_connections("unix")
        if connection.laddr.startswith("/") and Path(connection.laddr).exists()
    }
    assert any("tmp" in path.name for path in sockets), "no code server was seen"
    for path in sockets:
        closed = stat.S_IMODE(path.parent.stat().st_mode) & 0o077 == 0
        assert closed or stat.S_IMODE(path.stat().st_mode) & 0o022 == 0, path  # to connect is to write


def test_a_mutation_of_the_pages_themselves_is_executed(up: Up) -> None:
    """Last: it changes what the tests above find unchanged."""
    own = [("Cookie", up.cookie), JSON, ("Origin", up.base), ("Sec-Fetch-Site", "same-origin")]
    answer = ask_raw(up.port, "POST /graphql", own, json.dumps({"query": LAUNCH}))
    assert (answer.status, json.loads(answer.text)["data"]["launchRun"]["__typename"]) == (
        200,
        "LaunchRunSuccess",
    )
    reported = ask_raw(up.port, "POST /report_asset_materialization/est_small__table", own, "{}")
    assert reported.status == 200
    assert graphql(up, "{runsOrError{...on Runs{results{pipelineName}}}}")["runsOrError"]["results"]


@pytest.mark.parametrize(
    ("host", "names"),
    [
        ("127.0.0.1", {"localhost"}),
        ("::1", {"localhost"}),
        ("localhost", {"localhost"}),
        ("Dept.Example", {"dept.example"}),
    ],
)
def test_the_names_of_a_host(host: str, names: set[str]) -> None:
    assert host_names(host) == names


def test_all_addresses_are_named_by_the_machine_and_itself() -> None:
    assert host_names("0.0.0.0") >= {"localhost", "127.0.0.1", "[::1]"}  # noqa: S104
    assert "evil.example" not in host_names("0.0.0.0")  # noqa: S104


def test_a_token_of_the_environment_is_not_printed(tmp_path: Path) -> None:
    token = "a-token-that-the-office-chose-0123456789"
    with served(tmp_path, {"ASCO_UI_TOKEN": token, "ASCO_UI_URL": "https://asco.office.example"}) as running:
        assert token not in running.printed
        bearer = [("Authorization", f"Bearer {token}")]
        assert ask_raw(running.port, "GET /", bearer).status == 200
        # behind a proxy with TLS, which passes the name on or not
        page = [("Cookie", f"asco_{running.port}={token}"), JSON, ("Origin", "https://asco.office.example")]
        body = json.dumps({"query": "{version}"})
        for host in ("asco.office.example", None):
            assert ask_raw(running.port, "POST /graphql", page, body, host=host).status == 200
        for host in ("asco.office.example:8080", "office.example", "x.asco.office.example"):
            assert ask_raw(running.port, "GET /", bearer, host=host).status == 400


def test_pages_of_all_addresses_warn_and_print_the_true_one(tmp_path: Path) -> None:
    with served(tmp_path, host="0.0.0.0", read_only=True) as running:  # noqa: S104
        address = running.printed.split("Dagster:       http://")[1].split(":")[0]
        assert "Warning: every machine that reaches" in running.printed
        assert "not encrypted" in running.printed
        own = {found.address for net in psutil.net_if_addrs().values() for found in net}
        assert address in own or address == socket.gethostname()
        quality = running.printed.split("Quality pages: ")[1].split()[0]
        assert quality == f"http://{address}:{running.quality_port}/?token={running.token}"
        for host in (address, "127.0.0.1", "localhost", socket.gethostname()):
            cookie = [("Cookie", running.cookie)]
            assert ask_raw(running.port, "GET /", cookie, host=f"{host}:{running.port}").status == 200
        for host in ("evil.example", "0.0.0.0", "10.11.12.13"):  # noqa: S104
            assert ask_raw(running.port, "GET /", host=f"{host}:{running.port}").status == 400
        # … and read-only pages let the owner change nothing either
        headers = [("Authorization", f"Bearer {running.token}"), JSON]
        launched = ask_raw(running.port, "POST /graphql", headers, json.dumps({"query": LAUNCH}))
        assert "UnauthorizedError" in launched.text
        for kind in REPORTS:
            path = f"/report_asset_{kind}/est_small__table"
            assert ask_raw(running.port, f"POST {path}", headers, "{}").status == 401
