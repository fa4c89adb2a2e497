"""Make Prefect's deployments, work pools and automations from the YAML file.

`deployment` and `automation` build the objects that a file declares; `deployments`, `work_pools` and `automations` create and
update them on a server.
"""
