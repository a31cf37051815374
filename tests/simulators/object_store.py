"""A real S3 server of the tests' own: SeaweedFS, on free ports of this machine, gone afterwards."""

from __future__ import annotations

import itertools
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from obstore.store import S3Store

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ACCESS", "ObjectStore", "object_store"]

ACCESS = {"AWS_ACCESS_KEY_ID": "kizuna", "AWS_SECRET_ACCESS_KEY": "made up for tests"}
_START_S = 60


def _free_port() -> int:
    """Port that is free, and with it the one 10,000 above, at which each part of SeaweedFS speaks gRPC."""
    while True:
        port = random.randrange(20_000, 32_000)
        try:
            for number in (port, port + 10_000):
                socket.create_server(("127.0.0.1", number)).close()
        except OSError:
            continue
        return port


class ObjectStore:
    """A server that listens on a port."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._buckets = itertools.count(1)

    @property
    def endpoint(self) -> str:
        """Where it is reached."""
        return f"http://127.0.0.1:{self.port}"

    def new_bucket(self) -> str:
        """Address under which nothing lies; the server makes the bucket, of which it is a part, with the first object."""
        return f"s3://bucket/node{next(self._buckets)}?endpoint={self.endpoint}&region=us-east-1"

    def raw(self, address: str) -> S3Store:
        """The same as any other program sees it."""
        return S3Store(
            "bucket",
            prefix=address.removeprefix("s3://bucket/").partition("?")[0],
            endpoint=self.endpoint,
            region="us-east-1",
            access_key_id=ACCESS["AWS_ACCESS_KEY_ID"],
            secret_access_key=ACCESS["AWS_SECRET_ACCESS_KEY"],
            client_options={"allow_http": True},
        )


@contextmanager
def object_store() -> Iterator[ObjectStore]:
    """Server; who uses it has `ACCESS` in the environment."""
    folder = Path(tempfile.mkdtemp(prefix="kizuna-s3-"))
    program = Path(sys.executable).with_name("weed")
    master, volume, filer, s3 = (_free_port() for _ in range(4))
    (folder / "data").mkdir()
    keys = {"accessKey": ACCESS["AWS_ACCESS_KEY_ID"], "secretKey": ACCESS["AWS_SECRET_ACCESS_KEY"]}
    known = {"identities": [{"name": "kizuna", "credentials": [keys], "actions": ["Admin", "Read", "Write", "List"]}]}
    (folder / "s3.json").write_text(json.dumps(known))
    options = "-ip=127.0.0.1 -ip.bind=127.0.0.1 -filer -s3 -s3.port.iceberg=0 -s3.port.lance=0 -volume.max=20"
    options += f" -master.volumeSizeLimitMB=1000 -master.port={master} -volume.port={volume} -filer.port={filer} -s3.port={s3}"
    command = [program, "server", f"-dir={folder / 'data'}", f"-s3.config={folder / 's3.json'}", *options.split()]
    home = os.environ | {"HOME": str(folder)}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=folder, env=home)
    try:
        deadline = time.monotonic() + _START_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", s3), 1).close()
                break
            except OSError:
                assert process.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < deadline, (folder / "log").read_text()
                time.sleep(0.05)
        yield ObjectStore(s3)
    finally:
        # It would take its time to end well, and nothing of it is needed any more.
        process.kill()
        process.wait()
        shutil.rmtree(folder)
