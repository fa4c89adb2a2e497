"""A load in shards: parts that different threads or processes load, and that are sealed as one store."""
