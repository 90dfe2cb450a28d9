"""A release goes to a dataset of each kind of portal: whole, once, resumed, never over another."""

import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from asco_dagster.cli.release import release as command
from asco_dagster.errors import ConfigurationError, ReleaseError
from asco_dagster.publication.portals import push_to_portal
from asco_dagster.publication.shelf import MANIFEST

sys.path.insert(0, str(Path(__file__).parent))
from portal_servers import KEY, Opendatasoft, Udata, served
from small_release import released

CELLS = "tables/asco_cells.csv"


@pytest.fixture
def release(tmp_path: Path) -> Path:
    return released(tmp_path)


@pytest.fixture(params=[Udata, Opendatasoft])
def portal(request) -> Iterator[ThreadingHTTPServer]:
    with served(request.param) as server:
        yield server


@pytest.fixture
def opendatasoft() -> Iterator[ThreadingHTTPServer]:
    with served(Opendatasoft) as server:
        yield server


def _attached(server: ThreadingHTTPServer) -> dict[str, bytes]:
    return {told["filename"]: server.contents[uid] for uid, told in server.attachments.items()}


def test_a_portal_gets_each_file_once_and_is_resumed(release: Path, portal: ThreadingHTTPServer) -> None:
    portal.uploads_left = 1
    with pytest.raises(ReleaseError, match="answered 503"):
        push_to_portal(release, portal.dataset, KEY)
    portal.uploads_left = 100
    pushed = push_to_portal(release, portal.dataset, KEY)
    assert (pushed.there, pushed.sent) == (["tables/a.csv"], ["tables/b.csv", MANIFEST])
    again = push_to_portal(release, portal.dataset, KEY)
    assert (again.there, again.sent) == (["tables/a.csv", "tables/b.csv", MANIFEST], [])


def test_udata_knows_each_file_by_its_title(release: Path) -> None:
    with served(Udata) as server:
        push_to_portal(release, server.dataset, KEY)
        assert sorted(resource["title"] for resource in server.resources.values()) == [
            "1.0.0/manifest.json", "1.0.0/tables/a.csv", "1.0.0/tables/b.csv"
        ]  # fmt: skip


def test_opendatasoft_attaches_the_bytes_of_the_release(release: Path, opendatasoft) -> None:
    push_to_portal(release, opendatasoft.dataset, KEY)
    assert _attached(opendatasoft) == {
        f"asco-2014-1.0.0-{path.replace('/', '-')}": (release / path).read_bytes()
        for path in ("tables/a.csv", "tables/b.csv", MANIFEST)
    }
    assert opendatasoft.published == 1
    assert opendatasoft.resources == {}  # this release has no cells


def test_an_attachment_cut_short_is_sent_anew(release: Path, opendatasoft) -> None:
    opendatasoft.attachments["at_x"] = {"uid": "at_x", "filename": "asco-2014-1.0.0-tables-a.csv"}
    opendatasoft.contents["at_x"] = b"cut sho"
    assert push_to_portal(release, opendatasoft.dataset, KEY).sent[0] == "tables/a.csv"
    assert "at_x" not in opendatasoft.attachments
    assert (
        _attached(opendatasoft)["asco-2014-1.0.0-tables-a.csv"] == (release / "tables" / "a.csv").read_bytes()
    )


def test_another_release_of_that_version_is_not_overwritten(tmp_path: Path, opendatasoft) -> None:
    push_to_portal(released(tmp_path / "one"), opendatasoft.dataset, KEY)
    before = _attached(opendatasoft)
    with pytest.raises(ReleaseError, match="another version"):
        push_to_portal(released(tmp_path / "two", text="other"), opendatasoft.dataset, KEY)
    assert _attached(opendatasoft) == before


def test_the_records_are_the_cells_of_the_newest_version(tmp_path: Path, opendatasoft) -> None:
    first = released(tmp_path, second=CELLS)
    push_to_portal(first, opendatasoft.dataset, KEY)
    (made,) = opendatasoft.resources.values()
    assert (made["type"], made["params"]["separator"]) == ("csvfile", ",")
    assert opendatasoft.files[made["datasource"]["file"]["uid"]] == (first / CELLS).read_bytes()
    opendatasoft.resources["re_foreign"] = {"uid": "re_foreign", "title": "asco_cells.csv by hand"}

    second = released(tmp_path, text="revised", second=CELLS)
    assert second.name == "2.0.0"
    push_to_portal(second, opendatasoft.dataset, KEY)
    (ours,) = (told for told in opendatasoft.resources.values() if told["uid"] == made["uid"])
    assert ours["title"].startswith("asco_cells.csv 2.0.0 ")
    assert opendatasoft.files[ours["datasource"]["file"]["uid"]] == (second / CELLS).read_bytes()
    assert opendatasoft.resources["re_foreign"]["title"] == "asco_cells.csv by hand"

    # neither the same once more nor an older version touches them
    held = dict(opendatasoft.files)
    push_to_portal(second, opendatasoft.dataset, KEY)
    push_to_portal(first, opendatasoft.dataset, KEY)
    assert opendatasoft.files == held
    assert opendatasoft.resources[made["uid"]] == ours


def test_a_push_stopped_before_it_published_publishes_the_next_time(release: Path, opendatasoft) -> None:
    opendatasoft.publishing = 400  # the dataset is still being processed
    with pytest.raises(ReleaseError, match="answered 400"):
        push_to_portal(release, opendatasoft.dataset, KEY)
    opendatasoft.publishing = 200
    assert push_to_portal(release, opendatasoft.dataset, KEY).sent == []
    assert opendatasoft.published == 2


def test_a_portal_that_refuses_is_told_without_the_key(release: Path, portal: ThreadingHTTPServer) -> None:
    with pytest.raises(ReleaseError, match="answered 401") as told:
        push_to_portal(release, portal.dataset, "wrong-key")
    assert "wrong-key" not in str(told.value)


def test_a_portal_that_is_gone_is_told_without_its_key(release: Path, opendatasoft) -> None:
    with served(Udata) as server:
        gone = server.dataset
    with pytest.raises(ReleaseError, match="cannot be reached") as told:
        push_to_portal(release, gone, "hidden-key")
    assert "hidden-key" not in str(told.value)


def test_a_redirection_takes_no_key_elsewhere(release: Path, portal: ThreadingHTTPServer) -> None:
    class Elsewhere(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(302)
            self.send_header("Location", portal.dataset)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_) -> None:
            pass

    Elsewhere.path_of_dataset = portal.RequestHandlerClass.path_of_dataset
    with served(Elsewhere) as server, pytest.raises(ReleaseError, match="answered 302"):
        push_to_portal(release, server.dataset, KEY)
    assert not portal.attachments
    assert not portal.resources


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("http://portal.example/api/1/datasets/asco/", "not https"),
        ("https://portal.example/dataset/asco", "no dataset in a known kind of portal"),
    ],
)
def test_an_address_that_cannot_be_right_is_refused(release: Path, address: str, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        push_to_portal(release, address, KEY)


def test_the_command_takes_the_key_from_the_settings_and_prints_none(
    tmp_path: Path, opendatasoft, monkeypatch
) -> None:
    version = released(tmp_path / "made")
    home = tmp_path / "home"
    (home / "releases").mkdir(parents=True)
    (home / "releases" / "2014").symlink_to(version.parent)
    monkeypatch.setenv("ASCO_HOME", str(home))
    arguments = ["push", "2014", "1.0.0", "--to", opendatasoft.dataset, "--portal"]
    refused = CliRunner().invoke(command, arguments)
    assert isinstance(refused.exception, ConfigurationError)
    monkeypatch.setenv("ASCO_PORTAL_KEY", KEY)
    done = CliRunner().invoke(command, arguments)
    assert done.exit_code == 0, done.output
    assert done.output == "2014 1.0.0: 3 files sent, 0 were there\n"
