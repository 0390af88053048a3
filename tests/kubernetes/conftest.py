"""A control plane of the tests' own, where its programs are built."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from simulated_cloud.file_store import FileStore
from simulated_cloud.kubernetes.api_client import ApiClient
from simulated_cloud.kubernetes.control_plane import ControlPlane
from simulated_cloud.kubernetes.control_plane_build import is_built, programs_folder
from simulated_cloud.kubernetes.package import VARIABLE, KubernetesPackage
from simulated_cloud.resource_provider import serve
from tests.simulated_cloud.desk import Desk

needs_control_plane = pytest.mark.skipif(
    not is_built(programs_folder()),
    reason="no Kubernetes control plane is built here: `make kubernetes` builds it (needs Go)",
)


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane that began empty, for all tests of the session."""
    if not is_built(programs_folder()):
        pytest.skip("no Kubernetes control plane is built here: `make kubernetes` builds it")
    plane = ControlPlane(tmp_path_factory.mktemp("kubernetes"))
    plane.start()
    try:
        yield plane
    finally:
        plane.stop()


@pytest.fixture(scope="session")
def api(control_plane: ControlPlane) -> ApiClient:
    return control_plane.client()


@pytest.fixture(scope="module")
def desk(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """The kubernetes provider, on that control plane."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(control_plane.kubeconfig))
        store = FileStore(tmp_path_factory.mktemp("unused") / "kubernetes.json")
        with serve(KubernetesPackage(store)) as port:
            yield Desk("kubernetes", port)
        assert store.kinds() == {}  # everything went to the API server
