-- include shared/values

-- KEYS: record, objects. ARGV: model, bytes after which to stop, ids.
-- Returns: the field names in the values, the values of the first ids, at least one, each after its position.
return {redis.call('HGET', KEYS[1], 'names:' .. ARGV[1]) or '', values_of(KEYS[2], ARGV, 3, tonumber(ARGV[2]))}
