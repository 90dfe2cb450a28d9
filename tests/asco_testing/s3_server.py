"""A local server that speaks S3, for tests that share a store.

moto looks at a condition and writes in two steps; S3 does both in one, so a lock stands around them here.
What does not belong here: what is stored.
"""

import logging
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

KEYS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test-secret-key",
    "AWS_DEFAULT_REGION": "us-east-1",
}


@contextmanager
def s3_server() -> Iterator[tuple[str, dict[str, str]]]:
    """Serve; gives an address for ``ASCO_STORE`` and the environment that reaches it."""
    moto = pytest.importorskip("moto.server")
    from botocore.session import get_session
    from moto.s3.responses import S3Response

    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # a line a request says nothing here
    one_at_a_time, put = threading.Lock(), S3Response.put_object

    def put_at_once(self: S3Response) -> object:
        with one_at_a_time:
            return put(self)

    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(S3Response, "put_object", put_at_once)
        server.start()
        try:
            host, port = server.get_host_and_port()
            environment = {**KEYS, "AWS_ENDPOINT_URL_S3": f"http://{host}:{port}"}
            for name, value in environment.items():
                patch.setenv(name, value)
            bucket = f"office-{secrets.token_hex(4)}"  # moto keeps its buckets from one server to the next
            get_session().create_client("s3").create_bucket(Bucket=bucket)
            yield f"s3://{bucket}/asco", environment
        finally:
            server.stop()
