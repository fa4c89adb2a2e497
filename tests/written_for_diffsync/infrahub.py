"""A sync of infrahub-sync from its generic REST adapter into a file."""

import json
from pathlib import Path
from typing import Any, ClassVar

from diffsync import Adapter, DiffSyncModel
from infrahub_sync import (
    DiffSyncMixin,
    DiffSyncModelMixin,
    SchemaMappingField,
    SchemaMappingFilter,
    SchemaMappingModel,
    SchemaMappingTransform,
    SyncAdapter,
    SyncConfig,
)
from infrahub_sync.adapters.genericrestapi import GenericrestapiAdapter, GenericrestapiModel

CONFIG = SyncConfig(
    name="rest-to-file",
    source=SyncAdapter(name="GenericRestApi"),
    destination=SyncAdapter(name="file"),
    order=["LocationSite", "InfraDevice"],
    schema_mapping=[
        SchemaMappingModel(
            name="LocationSite",
            mapping="sites",
            identifiers=["name"],
            fields=[SchemaMappingField(name="name", mapping="name"), SchemaMappingField(name="region", static="emea")],
        ),
        SchemaMappingModel(
            name="InfraDevice",
            mapping="devices",
            identifiers=["name"],
            filters=[SchemaMappingFilter(field="status", operation="==", value="active")],
            transforms=[SchemaMappingTransform(field="role", expression="{{ role.lower() }}")],
            fields=[
                SchemaMappingField(name="name", mapping="name"),
                SchemaMappingField(name="role", mapping="role"),
                SchemaMappingField(name="location", mapping="site", reference="LocationSite"),
            ],
        ),
    ],
)


class RestSite(GenericrestapiModel):
    _modelname = "LocationSite"
    _identifiers = ("name",)
    _attributes = ("region",)

    name: str
    region: str | None = None
    local_id: str | None = None
    local_data: Any | None = None


class RestDevice(GenericrestapiModel):
    _modelname = "InfraDevice"
    _identifiers = ("name",)
    _attributes = ("role", "location")

    name: str
    role: str | None = None
    location: str
    local_id: str | None = None
    local_data: Any | None = None


class RestSource(GenericrestapiAdapter):
    """Takes the address from the settings, as the file of this library has it."""

    LocationSite = RestSite
    InfraDevice = RestDevice
    top_level: ClassVar = ["LocationSite", "InfraDevice"]

    def __init__(self, *, url, token, **kwargs):
        source = CONFIG.source.model_copy(update={"settings": {"url": url, "token": token, "api_endpoint": "/api"}})
        super().__init__(target="source", adapter=source, config=CONFIG, **kwargs)


class FileModel(DiffSyncModelMixin, DiffSyncModel):
    local_id: str | None = None

    @classmethod
    def create(cls, adapter, ids, attrs):
        adapter.write(cls._modelname, {**ids, **attrs})
        return super().create(adapter=adapter, ids=ids, attrs=attrs)

    def update(self, attrs):
        self.adapter.write(self._modelname, {**self.get_identifiers(), **self.get_attrs(), **attrs})
        return super().update(attrs=attrs)


class FileSite(FileModel):
    _modelname = "LocationSite"
    _identifiers = ("name",)
    _attributes = ("region",)

    name: str
    region: str | None = None


class FileDevice(FileModel):
    _modelname = "InfraDevice"
    _identifiers = ("name",)
    _attributes = ("role", "location")

    name: str
    role: str | None = None
    location: str


class FileTarget(DiffSyncMixin, Adapter):
    LocationSite = FileSite
    InfraDevice = FileDevice
    top_level: ClassVar = ["LocationSite", "InfraDevice"]

    def __init__(self, *args, path, **kwargs):
        super().__init__(*args, **kwargs)
        self.path = Path(path)

    def read(self):
        return json.loads(self.path.read_text("utf-8")) if self.path.exists() else {}

    def model_loader(self, model_name, model):
        for record in self.read().get(model_name, {}).values():
            self.add(model(**record))

    def write(self, model_name, record):
        data = self.read()
        data.setdefault(model_name, {})[record["name"]] = record
        self.path.write_text(json.dumps(data), "utf-8")
