"""versitygw, a real S3 server, over a folder; and the client that fills its buckets."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import botocore.session
from botocore.config import Config

from tests.integration.parts.kubernetes import command
from tests.integration.parts.process import Process
from tests.waiting import answers

ACCESS_KEY_ID: Final = "the-librarian"
SECRET_ACCESS_KEY: Final = "a key that nothing may show"
PATH_STYLE: Final = Config(s3={"addressing_style": "path"})


@dataclass
class S3Server:
    """The server; what it holds stays in the folder."""

    folder: Path
    port: int = 7070
    client: Any = None
    process: Process = field(init=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def access_log(self) -> Path:
        return self.folder / "access.log"

    def start(self) -> None:
        (self.folder / "buckets").mkdir(parents=True, exist_ok=True)
        self.process = Process(
            [command("versitygw"), "--port", f"127.0.0.1:{self.port}", "--health", "/healthz", "--quiet",
             "--access-log", self.access_log, "posix", self.folder / "buckets"],
            self.folder / "versitygw.log",
            {"ROOT_ACCESS_KEY_ID": ACCESS_KEY_ID, "ROOT_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY},
        )  # fmt: skip
        self.process.until("/healthz", lambda: answers(f"{self.url}/healthz"))
        self.client = botocore.session.Session().create_client(
            "s3",
            region_name="us-east-1",
            endpoint_url=self.url,
            aws_access_key_id=ACCESS_KEY_ID,
            aws_secret_access_key=SECRET_ACCESS_KEY,
            config=PATH_STYLE,
        )

    def stop(self) -> None:
        self.process.stop()

    def make(self, bucket: str) -> None:
        self.client.create_bucket(Bucket=bucket)

    def put(self, bucket: str, key: str, *lines: str) -> None:
        self.client.put_object(Bucket=bucket, Key=key, Body="".join(f"{line}\n" for line in lines).encode())

    def remove(self, bucket: str, key: str) -> None:
        self.client.delete_object(Bucket=bucket, Key=key)

    def fetched(self) -> int:
        """How many objects it has handed out so far."""
        return self.access_log.read_text().count(" s3_GetObject ")
