-- KEYS: hash. Returns: fields and values.
return redis.call('HGETALL', KEYS[1])
