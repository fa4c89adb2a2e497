"""The worked example: two releases of the airport registry, reconciled into a database."""
