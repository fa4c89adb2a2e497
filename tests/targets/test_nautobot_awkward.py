"""Awkward device types: files → Nautobot."""

import pytest

from tests.device_types import declared
from tests.targets.awkward import AwkwardTypes, MakeTarget
from tests.targets.conftest import MakeNautobot
from tests.targets.given import loaded
from tests.targets.nautobot_server import NautobotServer


class TestNautobot(AwkwardTypes):
    @pytest.fixture
    def make_target(self, nautobot: NautobotServer, make_adapter: MakeNautobot) -> MakeTarget:
        project = declared()
        records = project["adapters"]["nautobot"]["records"]
        return lambda: loaded(make_adapter(project["models"], records))
