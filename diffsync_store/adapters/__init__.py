"""Ready adapters: systems that are read and written by a declared mapping, without own code."""
