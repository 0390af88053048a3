"""The simulated AWS account: a moto server in this process, and clients that reach only it.

Owns the server's life, the credentials (made up) and the cache of boto3 clients, which take a tenth
of a second each to make. Nothing here can reach AWS: every client is given the server's loopback
address, and no profile, variable or metadata service is asked for credentials.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3
import botocore.session
from botocore.config import Config

from simulated_cloud.file_store import FileStore

ACCOUNT_ID = "123456789012"
"""The account of a moto server, unless a caller names another."""
ACCESS_KEY = "AKIASIMULATEDCLOUD00"
SECRET_KEY = "simulated-cloud-no-secret"
DEFAULT_REGION = "eu-central-1"
_PATIENCE_SECONDS = 300


class MotoAccount:
    """Clients of one moto server, by service and region."""

    def __init__(self, endpoint: str) -> None:
        """Reach the server at `endpoint`."""
        if not endpoint.startswith("http://127.0.0.1:"):
            raise ValueError(f"a simulated cloud is on this machine, not at {endpoint}")
        self.endpoint = endpoint
        self._lock = threading.RLock()
        self._clients: dict[tuple[str, str], Any] = {}
        # Neither ~/.aws nor variables such as AWS_PROFILE are read: a profile that is named must
        # exist, so it is looked for nowhere.
        core = botocore.session.Session(session_vars={"profile": (None, None, None, None)})
        core.set_config_variable("config_file", "/dev/null")
        core.set_config_variable("credentials_file", "/dev/null")
        self._session: Any = boto3.Session(
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
            region_name=DEFAULT_REGION,
            botocore_session=core,
        )

    def client(self, service: str, region: str) -> Any:
        """Return the client of a service in a region."""
        with self._lock:
            key = (service, region)
            if key not in self._clients:
                self._clients[key] = self._session.client(
                    service,
                    region_name=region,
                    endpoint_url=self.endpoint,
                    config=Config(
                        retries={"total_max_attempts": 1},
                        # The emulator's first answer waits for imports; a busy machine is slow.
                        connect_timeout=_PATIENCE_SECONDS,
                        read_timeout=_PATIENCE_SECONDS,
                        max_pool_connections=64,
                        parameter_validation=True,
                        s3={"addressing_style": "path"},
                        ignore_configured_endpoint_urls=True,
                        proxies={},
                    ),
                )
            return self._clients[key]


@dataclass(frozen=True, slots=True)
class AwsCloud:
    """An account as one provider resource sees it: in its region, with its tags."""

    account: MotoAccount
    store: FileStore
    region: str
    default_tags: Mapping[str, str] = field(default_factory=dict[str, str])
    account_id: str = ACCOUNT_ID

    def client(self, service: str) -> Any:
        """Return the client of a service."""
        return self.account.client(service, self.region)

    def arn(self, service: str, resource: str, *, regional: bool = True) -> str:
        """Return the name of a resource in this account."""
        region = self.region if regional else ""
        return f"arn:aws:{service}:{region}:{self.account_id}:{resource}"


@contextmanager
def moto_server() -> Generator[str]:
    """Run a moto server on a free port of the loopback; yield its address.

    Its resources are in this process's memory and end with it. The server is emptied first: moto
    keeps its accounts in module globals. Calls are answered one at a time: a listing of moto's that
    another thread adds to ends in a RuntimeError, and a single interpreter is no faster with two.
    """
    # So that attaching a policy of AWS's own which does not exist is refused.
    os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"
    # Half a second, and needed by nobody who only asks for --help.
    from moto.core.models import DEFAULT_ACCOUNT_ID
    from moto.moto_api._internal.models import moto_api_backend
    from moto.moto_server.werkzeug_app import (
        DomainDispatcherApplication,
        MotoRequestHandler,
        create_backend_app,
    )
    from werkzeug.serving import make_server

    if DEFAULT_ACCOUNT_ID != ACCOUNT_ID:
        raise RuntimeError(f"moto's account is {DEFAULT_ACCOUNT_ID}, expected {ACCOUNT_ID}")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    reset: Any = moto_api_backend.reset
    reset()
    moto: Any = DomainDispatcherApplication(create_backend_app)
    turn = threading.Lock()

    def one_at_a_time(environment: Any, start_response: Any) -> Any:
        with turn:
            return moto(environment, start_response)

    server = make_server(
        "127.0.0.1", 0, one_at_a_time, threaded=True, request_handler=MotoRequestHandler
    )
    thread = threading.Thread(target=server.serve_forever, name="moto", daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        reset()
