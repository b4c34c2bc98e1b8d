"""`python -m workloads.pages`: serve the page."""

import argparse
import asyncio
import sys
from dataclasses import replace
from typing import Any

import uvicorn
from httpx2 import AsyncClient as HttpClient
from httpx2 import HTTPError
from lightkube import AsyncClient
from lightkube.core.exceptions import ApiError
from lightkube.generic_resource import create_namespaced_resource
from lightkube.resources.core_v1 import Node

from workloads.pages.app import app
from workloads.pages.cloud import Cloud, Document, cloud
from workloads.pages.search import Search

InferenceModel, VectorCollection, TrainingJob = (
    create_namespaced_resource("homespun.dev", "v1alpha1", kind, f"{kind.lower()}s")
    for kind in ("InferenceModel", "VectorCollection", "TrainingJob")
)


def main() -> int:
    asyncio.run(_serve(_arguments()))
    return 0


async def _serve(arguments: argparse.Namespace) -> None:
    client = AsyncClient()

    last = Cloud()

    async def read_cloud() -> Cloud:
        nonlocal last
        try:
            kinds = [
                client.list(kind, namespace=arguments.namespace)
                for kind in (InferenceModel, VectorCollection, TrainingJob)
            ]
            found = await asyncio.gather(*map(_documents, (client.list(Node), *kinds)))
        except (ApiError, HTTPError) as error:
            trouble = (
                f"the API server can't be read ({type(error).__name__}), and this is what it last said; models and"
                " collections answer all the same. `make up` mends it"
            )
            return replace(last, trouble=trouble)
        last = cloud(*found)
        return last

    async with HttpClient() as http:
        search = Search(http, arguments.inference_gateway, arguments.vectors_gateway)
        config = uvicorn.Config(app(read_cloud, search), host=arguments.host, port=arguments.port, log_level="warning")
        await uvicorn.Server(config).serve()


async def _documents(listing: Any) -> list[Document]:
    return [item.to_dict() async for item in listing]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m workloads.pages", description="The page of the cloud.")
    parser.add_argument("--namespace", default="ml", help="where the users' objects are")
    for kind in ("inference", "vectors"):
        parser.add_argument(f"--{kind}-gateway", required=True, metavar="URL", help="from here")
    parser.add_argument("--host", default="0.0.0.0")  # noqa: S104 - a pod's own address
    parser.add_argument("--port", type=int, default=8080)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
