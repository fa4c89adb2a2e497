"""Deployments, work pools and automations in Prefect, made from the YAML file."""
