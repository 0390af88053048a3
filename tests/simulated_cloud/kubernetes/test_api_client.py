"""A connection that the API server has closed meanwhile is replaced, whatever its end is called."""

from __future__ import annotations

import http.client
import ssl
from pathlib import Path

import pytest

from simulated_cloud.kubernetes.api_client import ApiClient
from simulated_cloud.kubernetes.kubeconfig import Connection
from tests.operations.doctor.test_kubernetes_api import TOKEN, Api, api

__all__ = ["api"]


class Closed:
    """What is left of a connection that the server closed."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def request(self, *_: object, **__: object) -> None:
        raise self._error

    def close(self) -> None:
        pass


class TestIdleConnections:
    """The next call opens another one, and is answered."""

    @pytest.mark.parametrize(
        "error",
        [
            ssl.SSLEOFError(8, "EOF occurred in violation of protocol"),
            ConnectionResetError(),
            http.client.RemoteDisconnected(),
        ],
        ids=lambda error: type(error).__name__,
    )
    def test_replaced(self, api: Api, error: Exception) -> None:
        api.texts["/version"] = '{"gitVersion": "v1"}'
        authority = Path(api.certificate).read_text().split("-----BEGIN CERTIFICATE")[1]
        client = ApiClient(
            Connection(f"https://127.0.0.1:{api.port}", f"-----BEGIN CERTIFICATE{authority}", TOKEN)
        )
        client._own.connection = Closed(error)  # pyright: ignore[reportPrivateUsage]
        assert client.get("/version") == {"gitVersion": "v1"}
