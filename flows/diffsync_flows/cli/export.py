"""`diffsync-flows schema` and `diffsync-flows prefect-yaml`: print files for other programs."""

import json

import typer

from diffsync_flows.cli.config_file import DEFAULT_FILE, File, open_config
from diffsync_flows.config.schema import PrefectDeclarations
from diffsync_flows.deploy.deployment import declared_deployments
from diffsync_flows.deploy.prefect_yaml import prefect_yaml_text
from diffsync_store.project import json_schema


def schema() -> None:
    """Print the JSON Schema of the YAML file, for editors."""
    typer.echo(schema_text(), nl=False)


def schema_text() -> str:
    return json.dumps(json_schema(PrefectDeclarations), indent=2) + "\n"


def prefect_yaml(*, file: File = DEFAULT_FILE) -> None:
    """Print the deployments as a prefect.yaml, for `prefect deploy`."""
    typer.echo(prefect_yaml_text(declared_deployments(open_config(file)), file.name), nl=False)
