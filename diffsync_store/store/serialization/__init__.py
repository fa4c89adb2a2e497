"""Encode objects as JSON and decode them. No other package does.

An encoded object is one line of JSON with the values of its fields, encoded by `values.codec`. Decoding returns equal values without
running code of the class: no validator and no `model_post_init` is called. A second line, if any, holds a `ReportedValues`: the name of
the class, if it is not the adapter's; private attributes; and the results of overridden methods (`get_attrs`, `get_identifiers`,
`get_unique_id`, `get_shortname`), for readers that lack the class.
"""

from diffsync_store.store.serialization.class_format import root_class
from diffsync_store.store.serialization.decoding import decode
from diffsync_store.store.serialization.encoding import encode, encode_with_digest, ensure_storable, is_encoded_as
from diffsync_store.store.serialization.plain_objects import encode_all

__all__ = ["decode", "encode", "encode_all", "encode_with_digest", "ensure_storable", "is_encoded_as", "root_class"]
