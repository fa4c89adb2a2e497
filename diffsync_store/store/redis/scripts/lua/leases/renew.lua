-- include shared/lease

-- Renews a lease; also one that has ended, if nobody has taken it since.
-- ARGV: token, nonce, time to live in ms, seconds to remember the token. Returns: 1, or 0 if the lease is lost.
if r[5] ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'nonce', ARGV[2], 'until', string.format('%.0f', now + tonumber(ARGV[3])))
redis.call('EXPIRE', KEYS[1], ARGV[4])
return 1
