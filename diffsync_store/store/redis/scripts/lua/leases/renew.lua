-- include shared/lease
-- include shared/lease_members

-- Renews a lease; also one that has ended, if nobody has taken it since.
-- ARGV: token, nonce, time to live in ms, seconds to remember the token. Returns: 1, or 0 if the lease is lost.
if r[5] ~= ARGV[1] then return 0 end
local till = string.format('%.0f', now + tonumber(ARGV[3]))
redis.call('HSET', KEYS[1], 'nonce', ARGV[2], 'until', till)
if redis.call('HEXISTS', KEYS[1], 'name:' .. ARGV[2]) == 1 then
  redis.call('HSET', KEYS[1], 'until:' .. ARGV[2], till)
  count_members()
end
redis.call('EXPIRE', KEYS[1], ARGV[4])
return 1
