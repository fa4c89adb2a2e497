-- include shared/stamp

-- Marks a sync as ended, unless another one has begun.
-- KEYS: writer. ARGV: number of the sync.
if redis.call('HGET', KEYS[1], 'number') == ARGV[1] then redis.call('HSET', KEYS[1], 'ended', stamp()) end
return 1
