"""The cases of the conformance suite, a module for each group."""
