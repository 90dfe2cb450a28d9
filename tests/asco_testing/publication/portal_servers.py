"""Two small servers that speak as data portals do: udata, and Opendatasoft's Automation API 1.0.

They hold what they are sent, check the key, and fail on demand after some uploads. What they know of the
protocols comes from the portals' own documentation: which place takes which method, form field ``file``,
JSON bodies, pages of a listing, 201 for what was made, 204 for what was deleted.
"""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

KEY = "secret"
PAGE = 2  # at most, however many are asked for, so that every listing has several pages


class Portal(BaseHTTPRequestHandler):
    """What both have in common."""

    def reply(self, status: int, content: object = None) -> None:
        raw = (
            content
            if isinstance(content, bytes)
            else b""
            if content is None
            else json.dumps(content).encode()
        )
        self.send_response(status)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def file(self, body: bytes) -> tuple[str, bytes]:
        """Name and content of the form's field ``file``."""
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        (part,) = BytesParser().parsebytes(head + body).get_payload()
        assert part.get_param("name", header="content-disposition") == "file"
        return part.get_filename(), part.get_payload(decode=True)

    def may_upload(self) -> bool:
        self.server.uploads_left -= 1
        return self.server.uploads_left >= 0

    def log_message(self, *_) -> None:
        pass


class Udata(Portal):
    """A dataset of udata: its description, uploads, and what can be done to a resource.

    As in its code: an upload gets the name of the file as title and the SHA-1 of its bytes as checksum; a new
    file of a resource keeps the title; a description is merged; an unknown resource is 404.
    """

    path_of_dataset = "/api/1/datasets/asco/"

    def _handle(self) -> None:
        body, server = self.body(), self.server
        place = urlsplit(self.path).path.removeprefix(self.path_of_dataset).split("/")
        if self.command != "GET" and self.headers["X-API-KEY"] != KEY:
            self.reply(401, {"message": "Invalid API Key"})
            return
        match (self.command, *place):
            case ("GET", ""):
                self.reply(200, {"id": "asco", "resources": list(server.resources.values())})
            case ("POST", "upload", ""):
                self._upload(body, None)
            case ("POST", "resources", uid, "upload", "") if uid in server.resources:
                self._upload(body, uid)
            case ("PUT", "resources", uid, "") if uid in server.resources:
                if server.descriptions_left <= 0:
                    self.reply(502, {})
                    return
                server.descriptions_left -= 1
                server.resources[uid] |= json.loads(body)
                self.reply(200, server.resources[uid])
            case ("DELETE", "resources", uid, "") if uid in server.resources:
                del server.resources[uid]
                self.reply(204)
            case _:
                self.reply(404, {"message": "not found"})

    do_GET = do_POST = do_PUT = do_DELETE = _handle  # noqa: N815 - http.server names them

    def _upload(self, body: bytes, uid: str | None) -> None:
        if not self.may_upload():
            self.reply(503, {})
            return
        name, content = self.file(body)
        made = uid or f"00000000-0000-4000-8000-{self.server.made:012d}"
        self.server.made += 1
        told = {
            "id": made,
            "title": name.lower(),
            "filetype": "file",
            "filesize": len(content),
            "checksum": {"type": "sha1", "value": hashlib.sha1(content, usedforsecurity=False).hexdigest()},
        }
        if uid:
            del told["title"]
        self.server.resources[made] = {**self.server.resources.get(made, {}), **told}
        self.server.contents[made] = content
        self.reply(200 if uid else 201, self.server.resources[made])


class Opendatasoft(Portal):
    """A dataset of Opendatasoft: attachments, resources and their files, publishing."""

    path_of_dataset = "/api/automation/v1.0/datasets/da_asco/"

    def _handle(self) -> None:
        body, server = self.body(), self.server
        if self.headers["Authorization"] != f"Apikey {KEY}":
            self.reply(401, {"error": "wrong key"})
            return
        address = urlsplit(self.path)
        place = address.path.removeprefix(self.path_of_dataset).split("/")
        asked = {name: int(values[0]) for name, values in parse_qs(address.query).items()}
        match (self.command, *place):
            case ("GET", "attachments" | "resources" as kind, ""):
                self._list(list(getattr(server, kind).values()), **asked)
            case ("POST", "attachments", ""):
                self._attach(body)
            case ("GET", "attachments", uid, "download", "") if uid in server.attachments:
                self.reply(200, server.contents[uid])
            case ("DELETE", "attachments", uid, "") if uid in server.attachments:
                del server.attachments[uid]
                self.reply(204)
            case ("POST", "resources", "files", ""):
                name, content = self.file(body)
                uid = f"fi_{len(server.files)}"
                server.files[uid] = content
                server.filenames[uid] = name
                self.reply(200, {"uid": uid, "filename": name, "mimetype": "text/csv"})
            case ("POST", "resources", ""):
                server.made += 1
                self._set_resource(f"re_{server.made}", body, made=201)
            case ("PUT", "resources", uid, "") if uid in server.resources:
                self._set_resource(uid, body, made=200)
            case ("DELETE", "resources", uid, "") if uid in server.resources:
                del server.resources[uid]
                self.reply(204)
            case ("POST", "publish", ""):
                server.published += 1
                self.reply(server.publishing, {"status": "queued"})
            case _:
                self.reply(404, {"error": "not found"})

    do_GET = do_POST = do_PUT = do_DELETE = _handle  # noqa: N815 - http.server names them

    def _list(self, found: list[dict], limit: int = 20, offset: int = 0) -> None:
        page = found[offset : offset + min(limit, PAGE)]
        more = offset + len(page) < len(found)
        told = {"total_count": len(found), "next": "the next page" if more else None, "previous": None}
        self.reply(200, {**told, "results": page})

    def _attach(self, body: bytes) -> None:
        if not self.may_upload():
            self.reply(503, {})
            return
        name, content = self.file(body)
        uid = f"at_{self.server.made}"
        self.server.made += 1
        self.server.attachments[uid] = {"uid": uid, "filename": name, "mimetype": "text/csv"}
        self.server.contents[uid] = content
        self.reply(201, self.server.attachments[uid])

    def _set_resource(self, uid: str, body: bytes, made: int) -> None:
        told = json.loads(body)
        source = told.get("datasource", {})
        if (
            not {"type", "title", "datasource"} <= set(told)
            or source.get("file", {}).get("uid") not in self.server.files
        ):
            self.reply(400, {"error": "validation"})
            return
        file = told["datasource"]["file"]
        file["filename"] = self.server.filenames[file["uid"]]
        self.server.resources[uid] = {"uid": uid, **told}
        self.reply(made, self.server.resources[uid])


@contextmanager
def served(kind: type[Portal]) -> Iterator[ThreadingHTTPServer]:
    """A server of one kind; ``dataset`` is the address of its dataset, the rest what it was sent."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    server.attachments, server.contents, server.resources, server.files = {}, {}, {}, {}
    server.filenames, server.descriptions_left = {}, 100
    server.uploads_left, server.made, server.published, server.publishing = 100, 0, 0, 200
    server.dataset = f"http://127.0.0.1:{server.server_port}{kind.path_of_dataset}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
