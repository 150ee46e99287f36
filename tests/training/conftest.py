"""A small demo, made once."""

from __future__ import annotations

import pytest

from workbench.collection.demo import make_demo
from workbench.collection.store import Collection, open_collection
from workbench.workspace import Workspace, open_workspace


@pytest.fixture(scope="session")
def demo_workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = open_workspace(tmp_path_factory.mktemp("demo"))
    make_demo(workspace, scenes=120)
    return workspace


@pytest.fixture(scope="session")
def demo(demo_workspace: Workspace) -> Collection:
    return open_collection(demo_workspace, "demo")
