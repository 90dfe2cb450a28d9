"""The engineer's Chromium has the pages open, and a page of another origin in the next tab tries everything.

Two such origins: another site, and another port of this machine, to which a browser sends the cookies of the
pages. A third name stands for a rebound one: it resolves to this machine, at the port of the pages.
"""

import json
import re
import shutil
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from asco_testing.served_pages import Up, events, graphql, served

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Debian's chromium is not installed"),
]
FLAGS = (
    "--no-sandbox --disable-gpu --disable-background-networking --disable-component-update "
    "--disable-sync --no-first-run"
)
LAUNCH = (
    'mutation {launchRun(executionParams: {selector: {repositoryLocationName: "small", '
    'repositoryName: "__repository__", jobName: "small_job"}}) {__typename}}'
)
WIPE = 'mutation {wipeAssets(assetPartitionRanges: [{assetKey: {path: ["est_small__table"]}}]) {__typename}}'
# What a hostile page does: each way to write, then each way to read; tells which of them read anything.
ATTACK = """async ({dagster, quality, mutations}) => {
  const read = [], tries = [], json = {'Content-Type': 'application/json'};
  const attempt = (name, work) => tries.push((async () => {
    try { if (await work()) read.push(name) } catch {}
  })());
  const add = kind => document.body.appendChild(document.createElement(kind));
  const seen = view => view.location.href !== 'about:blank' && view.document.documentElement.outerHTML;
  const loaded = part => new Promise(done => {
    part.onload = part.onopen = () => done('loaded');
    part.onerror = () => done(null);
    setTimeout(() => done(null), 30000);
  });
  const disguised = {'Content-Type': 'text/plain; x=application/json'};
  const kinds = [{}, {'Content-Type': 'text/plain'}, disguised, json];
  for (const query of mutations) {
    const address = `${dagster}/graphql?query=${encodeURIComponent(query)}`, body = JSON.stringify({query});
    for (const mode of ['no-cors', 'cors']) for (const credentials of ['include', 'omit']) {
      attempt('GET', async () => (await fetch(address, {mode, credentials})).text());
      for (const headers of kinds) attempt('POST', async () =>
        (await fetch(address, {mode, credentials, headers, body, method: 'POST'})).text());
    }
    navigator.sendBeacon(address, body);
    navigator.sendBeacon(address, new Blob([body], {type: 'text/plain'}));
    for (const enctype of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data'])
      for (const method of ['post', 'get']) {
        const frame = add('iframe'), form = add('form');
        frame.name = `frame-${Math.random()}`;
        Object.assign(form, {action: address, enctype, method, target: frame.name});
        // as text/plain this is sent as {"query": "…", "x": "="}
        Object.assign(form.appendChild(document.createElement('input')), enctype === 'text/plain'
          ? {name: JSON.stringify({query, x: ''}).slice(0, -2), value: '"}'} : {name: 'query', value: query});
        form.submit();
        tries.push(loaded(frame));
      }
  }
  for (const kind of ['materialization', 'check', 'observation'])
    for (const options of [{}, {body: '{}', headers: json}, {body: 'x'}])
      for (const mode of ['no-cors', 'cors']) attempt(kind, async () => (await fetch(
        `${dagster}/report_asset_${kind}/est_small__table?check_name=x&passed=true`,
        {method: 'POST', mode, credentials: 'include', ...options})).text());
  for (const page of [`${dagster}/runs`, `${dagster}/server_info`, `${dagster}/favicon.png`,
    `${dagster}/graphql?query={version}`, `${quality}/quality/2014/`, `${quality}/quality/2014/plot.svg`,
    `${quality}/metrics`]) {
    for (const mode of ['cors', 'no-cors'])
      attempt(`fetch ${page}`, async () => (await fetch(page, {mode, credentials: 'include'})).text());
    for (const [kind, key] of [['img', 'src'], ['script', 'src'], ['link', 'href'], ['object', 'data']])
      attempt(`${kind} ${page}`, () => {
        const part = document.createElement(kind);
        part.rel = 'stylesheet';
        part[key] = page;
        const done = loaded(part);
        document.body.appendChild(part);
        return done;
      });
    attempt(`frame ${page}`, async () => {
      const frame = document.createElement('iframe');
      frame.src = page;
      const done = loaded(frame);
      document.body.appendChild(frame);
      await done;
      return seen(frame.contentWindow);
    });
    attempt(`window ${page}`, async () => {
      const opened = window.open(page);
      await new Promise(done => setTimeout(done, 5000));
      try { return seen(opened) } finally { opened.close() }
    });
  }
  for (const base of [dagster, quality])
    attempt(`socket ${base}`, () =>
      loaded(new WebSocket(`${base.replace('http', 'ws')}/graphql`, 'graphql-ws')));
  attempt('events', () => loaded(
    new EventSource(`${dagster}/graphql?query={version}`, {withCredentials: true})));
  await Promise.all(tries);
  return [...new Set(read)].sort();
}"""


DELIVERED = (
    "<img src=x onerror=document.title='alive'> ![p](http://evil.example/p.png) "
    "[a](http://evil.example) **b**"
)
DEFINITIONS = f"""
import dagster as dg
from pathlib import Path
from asco_dagster.orchestration.checks import _check_result
from asco_dagster.gates.validation import GateResult, Verdict
from asco_dagster.settings import Settings

DELIVERED = {DELIVERED!r}

@dg.asset(check_specs=[dg.AssetCheckSpec("gx__est_small__table", asset="est_small__table")])
def est_small__table():
    kind, reason = "expect_column_values_to_be_in_set", "because"
    verdict = Verdict(kind, "code", "warning", False, DELIVERED, 1.0, reason, [DELIVERED], None)
    result = GateResult("est_small__table", "2014", 1, [verdict])
    told = _check_result(result, Settings(home=Path("home")), {{}}, 0.1)
    return dg.MaterializeResult(check_results=[told])

small_job = dg.define_asset_job("small_job")
defs = dg.Definitions(assets=[est_small__table], jobs=[small_job])
"""


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with served(tmp_path_factory.mktemp("up"), definitions=DEFINITIONS) as running:
        folder = running.home / "quality" / "2014"
        folder.mkdir(parents=True)
        link = f'<a id="back" href="{running.base}/assets/est_small__table">the asset</a>'
        (folder / "index.html").write_text(f"<!doctype html><title>Q</title><h1>Quality of 2014</h1>{link}")
        (folder / "plot.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
        yield running


@pytest.fixture(scope="module")
def other_port(up: Up) -> Iterator[int]:
    """A server of somebody else, with a link to the pages."""

    class Hostile(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = f'<!doctype html><title>other</title><a id="link" href="{up.base}/runs">runs</a>'.encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Hostile) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.fixture(scope="module")
def browser(up: Up):
    """A browser in which the engineer opened the printed address."""
    from playwright.sync_api import sync_playwright

    names = "--host-resolver-rules=MAP *.example 127.0.0.1"
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS.split(), names])
        context = started.new_context()
        page = context.new_page()
        page.set_default_timeout(120_000)
        page.goto(f"{up.base}/?token={up.token}")
        page.get_by_text("Runs").first.wait_for()
        assert up.token not in page.url
        yield context
        started.close()


def other(name: str, port: int) -> str:
    return {"another site": f"http://evil.example:{port}", "another port": f"http://127.0.0.1:{port}"}[name]


@pytest.mark.parametrize("name", ["another site", "another port"])
def test_another_origin_neither_starts_nor_wipes_nor_reads(
    browser, up: Up, other_port: int, name: str
) -> None:
    before = events(up)
    page = browser.new_page()
    page.goto(other(name, other_port))
    asked = {"dagster": up.base, "quality": up.quality, "mutations": [LAUNCH, WIPE]}
    assert page.evaluate(ATTACK, asked) == []
    page.close()
    assert events(up) == before


def test_the_same_attack_from_the_pages_themselves_succeeds(browser, up: Up) -> None:
    """Else the tests above could not fail."""
    page = browser.new_page()
    page.goto(f"{up.base}/server_info")
    asked = {"dagster": up.base, "quality": up.quality, "mutations": [LAUNCH]}
    read = set(page.evaluate(ATTACK, asked))
    page.close()
    kinds = ("img {}/favicon.png", "frame {}/runs", "fetch {}/runs", "socket {}")
    assert {"POST", "materialization", *(kind.format(up.base) for kind in kinds)} <= read
    runs, reports = events(up)
    assert runs > 0
    assert reports > 0


def test_a_rebound_name_opens_nothing(browser, up: Up) -> None:
    page = browser.new_page()
    for port, path in ((up.port, "/"), (up.port, "/server_info"), (up.quality_port, "/metrics")):
        answer = page.goto(f"http://rebound.example:{port}{path}")
        assert answer.status == 400
        assert "Unknown host" in page.content()
    page.close()


@pytest.mark.parametrize("name", ["another site", "another port"])
def test_a_link_elsewhere_leads_to_the_page(browser, up: Up, other_port: int, name: str) -> None:
    page = browser.new_page()
    page.set_default_timeout(120_000)
    page.goto(other(name, other_port))
    page.locator("#link").click()
    page.wait_for_url(re.compile(rf"{up.base}/runs.*"))
    page.get_by_text("est_small__table").or_(page.get_by_text("small_job")).or_(
        page.get_by_text("No runs")
    ).first.wait_for()
    assert page.url.startswith(f"{up.base}/runs")
    page.close()


def test_quality_pages_and_assets_lead_to_each_other(browser, up: Up) -> None:
    page = browser.new_page()
    page.set_default_timeout(120_000)
    page.goto(f"{up.quality}/quality/2014/#part")
    page.get_by_role("heading", name="Quality of 2014").wait_for()
    page.locator("#back").click()
    page.get_by_text("est_small__table").first.wait_for()
    assert page.url.startswith(f"{up.base}/assets/est_small__table")
    page.close()


def test_whoever_has_no_cookie_enters_the_token(browser, up: Up) -> None:
    context = browser.browser.new_context()
    page = context.new_page()
    page.set_default_timeout(120_000)
    assert page.goto(f"{up.quality}/quality/2014/?of=x").status == 401
    page.get_by_label("Token").fill(up.token)
    page.get_by_role("button", name="Open").click()
    page.get_by_role("heading", name="Quality of 2014").wait_for()
    assert page.url == f"{up.quality}/quality/2014/?of=x"
    (cookie,) = context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["expires"]) == (True, "Strict", -1)
    context.close()


def test_the_page_to_try_queries_on_works(browser, up: Up) -> None:
    page = browser.new_page()
    page.set_default_timeout(120_000)
    page.goto(f"{up.base}/graphql")
    page.locator("#graphiql .graphiql-container").wait_for()
    told = page.evaluate(
        """async () => (await fetch('/graphql', {method: 'POST', body: '{"query": "{version}"}',
        headers: {'Content-Type': 'application/json'}})).json()"""
    )
    assert json.dumps(told["data"]) == json.dumps(graphql(up, "{version}"))
    page.close()


def test_delivered_text_is_text_in_dagsters_pages(browser, up: Up) -> None:
    """A check whose observed value, offending row and description hold what a hostile file may hold."""
    graphql(up, LAUNCH)
    query = "{runsOrError(filter: {statuses: [SUCCESS]}) {...on Runs {results {runId}}}}"
    end = time.monotonic() + 300
    while not graphql(up, query)["runsOrError"]["results"]:
        assert time.monotonic() < end, "the run does not end"
        time.sleep(1)
    page = browser.new_page()
    page.set_viewport_size({"width": 1280, "height": 900})
    page.set_default_timeout(120_000)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{up.base}/assets/est_small__table?view=checks")
    page.get_by_text("failing rows").first.wait_for()
    page.get_by_text("onerror").first.wait_for()
    for button in page.get_by_role("button", name=re.compile("table|markdown", re.IGNORECASE)).all():
        button.click()
        page.wait_for_timeout(500)
        page.keyboard.press("Escape")
    folder = Path(__file__).parents[3] / "var" / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=folder / "delivered-text.png")
    assert page.locator("img[src='x'], img[src*='evil'], a[href*='evil']").count() == 0
    assert page.title() != "alive"
    assert not [url for url in asked if "evil.example" in url]
    page.close()
