-- Repeats the token of a lease in a partition of a store, where writes under earlier tokens are then refused.
-- KEYS: lease of the partition. ARGV: token, owner, seconds to remember it.
if tonumber(redis.call('HGET', KEYS[1], 'token') or 0) < tonumber(ARGV[1]) then
  redis.call('HSET', KEYS[1], 'token', ARGV[1], 'owner', ARGV[2])
end
redis.call('EXPIRE', KEYS[1], ARGV[3])
return 1
