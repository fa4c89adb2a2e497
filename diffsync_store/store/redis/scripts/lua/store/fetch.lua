-- include shared/values

-- KEYS: objects. ARGV: bytes after which to stop, ids.
-- Returns: the values of the first ids, at least one, each after its position.
return values_of(KEYS[1], ARGV, 2, tonumber(ARGV[1]))
