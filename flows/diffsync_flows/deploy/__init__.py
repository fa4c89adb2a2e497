"""Make Prefect's deployments, work pools and automations from the YAML file.

`deployment` and `automation` say what a file declares; `deployments`, `work_pools` and `automations` bring it to a server.
"""
