"""Adapters of the airport registry that are own Python: the flows are tested with them."""
