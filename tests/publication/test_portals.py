"""A release goes to a dataset of each kind of portal: whole, once, resumed, never over another."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from asco_dagster.cli.release import release as command
from asco_dagster.errors import ConfigurationError, ReleaseError
from asco_dagster.publication.portals import push_to_portal
from asco_dagster.releases.store import MANIFEST
from asco_testing.publication.portal_servers import KEY, Opendatasoft, Udata, served
from asco_testing.worlds.tiny_release import released

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


TITLES = ["1.0.0/manifest.json", "1.0.0/tables/a.csv", "1.0.0/tables/b.csv"]


@pytest.fixture
def udata() -> Iterator[ThreadingHTTPServer]:
    with served(Udata) as server:
        yield server


def _is_whole(release: Path, server: ThreadingHTTPServer) -> None:
    """Each file of the release is a resource, once, with its title and its bytes."""
    held = {told["title"]: server.contents[uid] for uid, told in server.resources.items()}
    assert sorted(told["title"] for told in server.resources.values()) == TITLES
    assert held == {title: (release / title.removeprefix("1.0.0/")).read_bytes() for title in TITLES}


def _titled(server: ThreadingHTTPServer, title: str) -> dict:
    return next(told for told in server.resources.values() if told["title"] == title)


def _by_hand(server: ThreadingHTTPServer, name: str, content: bytes, into: str | None = None) -> None:
    """What an editor does on the portal's pages: upload a file, or another one for a resource."""
    import requests

    place = f"resources/{into}/upload/" if into else "upload/"
    done = requests.post(
        server.dataset + place, headers={"X-API-KEY": KEY}, files={"file": (name, content)}, timeout=10
    )
    assert done.ok


@pytest.mark.parametrize("described", [0, 1, 2])
def test_udata_a_push_stopped_before_a_description_sends_no_file_twice(
    release: Path, udata, described: int
) -> None:
    udata.descriptions_left = described
    with pytest.raises(ReleaseError, match="answered 502"):
        push_to_portal(release, udata.dataset, KEY)
    udata.descriptions_left, before = 100, udata.made
    pushed = push_to_portal(release, udata.dataset, KEY)
    _is_whole(release, udata)
    assert len(pushed.there) == before == described + 1
    assert udata.made == 3  # three uploads in all


def test_udata_a_renamed_resource_gets_its_title_back(release: Path, udata) -> None:
    push_to_portal(release, udata.dataset, KEY)
    _titled(udata, "1.0.0/tables/b.csv")["title"] = "Tableau B (à jour)"
    assert push_to_portal(release, udata.dataset, KEY).sent == []
    _is_whole(release, udata)


@pytest.mark.parametrize("beside", [False, True])
def test_udata_a_file_uploaded_by_hand_is_there_once(release: Path, udata, beside: bool) -> None:
    push_to_portal(release, udata.dataset, KEY)
    if not beside:
        del udata.resources[_titled(udata, "1.0.0/tables/b.csv")["id"]]
    _by_hand(udata, "B.csv", (release / "tables" / "b.csv").read_bytes())
    pushed = push_to_portal(release, udata.dataset, KEY)
    assert (pushed.sent, pushed.removed) == ([], ["b.csv"] if beside else [])
    _is_whole(release, udata)


def test_udata_the_same_bytes_put_in_again_by_hand_are_not_sent(release: Path, udata) -> None:
    push_to_portal(release, udata.dataset, KEY)
    one = _titled(udata, "1.0.0/tables/a.csv")["id"]
    _by_hand(udata, "a.csv", (release / "tables" / "a.csv").read_bytes(), into=one)
    assert udata.resources[one]["checksum"]["type"] == "sha1"
    assert push_to_portal(release, udata.dataset, KEY).sent == []
    _is_whole(release, udata)


def test_udata_a_file_altered_by_hand_gets_its_bytes_back_in_its_place(release: Path, udata) -> None:
    push_to_portal(release, udata.dataset, KEY)
    one = _titled(udata, "1.0.0/tables/a.csv")["id"]
    _by_hand(udata, "a.csv", b"x\r\n9\r\n", into=one)
    assert push_to_portal(release, udata.dataset, KEY).sent == ["tables/a.csv"]
    assert _titled(udata, "1.0.0/tables/a.csv")["id"] == one
    _is_whole(release, udata)


def test_udata_another_release_of_that_version_is_not_overwritten(tmp_path: Path, udata) -> None:
    push_to_portal(released(tmp_path / "one"), udata.dataset, KEY)
    before = {uid: dict(told) for uid, told in udata.resources.items()}
    with pytest.raises(ReleaseError, match=r"another version 1\.0\.0 is there: its tables/b\.csv"):
        push_to_portal(released(tmp_path / "two", text="other"), udata.dataset, KEY)
    assert udata.resources == before


def test_udata_equal_files_of_two_versions_and_what_is_not_ours_stay(tmp_path: Path, udata) -> None:
    first = released(tmp_path)
    second = released(tmp_path, text="revised")  # its tables/a.csv has the same bytes
    _by_hand(udata, "notice.pdf", b"a notice")
    for release in (first, second, first, second):
        push_to_portal(release, udata.dataset, KEY)
    titles = sorted(told["title"] for told in udata.resources.values())
    assert titles == sorted(
        [*TITLES, *(f"2.0.0/{title.partition('/')[2]}" for title in TITLES), "notice.pdf"]
    )


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


def _attach_by_hand(server: ThreadingHTTPServer, name: str, content: bytes) -> None:
    uid = f"at_hand_{len(server.attachments)}"
    server.attachments[uid] = {"uid": uid, "filename": name}
    server.contents[uid] = content


@pytest.mark.parametrize("beside", [False, True])
@pytest.mark.parametrize(
    "name", ["b renommé.csv", "asco-2014-1.0.0-tables-b.csv", "asco-2014-1.0.0-tables-b (1).csv"]
)
def test_opendatasoft_a_file_renamed_or_attached_by_hand_is_there_once(
    release: Path, opendatasoft, name: str, beside: bool
) -> None:
    push_to_portal(release, opendatasoft.dataset, KEY)
    whole, own = _attached(opendatasoft), "asco-2014-1.0.0-tables-b.csv"
    if not beside:
        uid = next(uid for uid, told in opendatasoft.attachments.items() if told["filename"] == own)
        del opendatasoft.attachments[uid]
    _attach_by_hand(opendatasoft, name, (release / "tables" / "b.csv").read_bytes())
    _attach_by_hand(opendatasoft, "notice.pdf", b"a notice")
    push_to_portal(release, opendatasoft.dataset, KEY)
    names = sorted(told["filename"] for told in opendatasoft.attachments.values())
    assert names == sorted([*whole, "notice.pdf"])
    assert _attached(opendatasoft) == {**whole, "notice.pdf": b"a notice"}


def test_opendatasoft_an_attachment_altered_by_hand_gets_its_bytes_back(release: Path, opendatasoft) -> None:
    push_to_portal(release, opendatasoft.dataset, KEY)
    whole = _attached(opendatasoft)
    uid = next(uid for uid, told in opendatasoft.attachments.items() if told["filename"].endswith("a.csv"))
    opendatasoft.contents[uid] = b"altered"
    assert push_to_portal(release, opendatasoft.dataset, KEY).sent == ["tables/a.csv"]
    assert _attached(opendatasoft) == whole


def test_opendatasoft_a_renamed_resource_of_the_records_is_not_made_twice(
    tmp_path: Path, opendatasoft
) -> None:
    release = released(tmp_path, second=CELLS)
    push_to_portal(release, opendatasoft.dataset, KEY)
    (made,) = opendatasoft.resources.values()
    title = made["title"]
    opendatasoft.resources["re_twice"] = {**made, "uid": "re_twice"}
    made["title"] = "Données"
    push_to_portal(release, opendatasoft.dataset, KEY)
    assert [(told["uid"], told["title"]) for told in opendatasoft.resources.values()] == [
        (made["uid"], title)
    ]


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


def test_a_portal_that_refuses_is_reported_without_the_key(
    release: Path, portal: ThreadingHTTPServer
) -> None:
    with pytest.raises(ReleaseError, match="answered 401") as told:
        push_to_portal(release, portal.dataset, "wrong-key")
    assert "wrong-key" not in str(told.value)


def test_a_portal_that_is_gone_is_reported_without_its_key(release: Path, opendatasoft) -> None:
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
    assert done.output == "2014 1.0.0: 3 files sent, 0 already there\n"
