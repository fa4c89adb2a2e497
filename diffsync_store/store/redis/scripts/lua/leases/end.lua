-- include shared/lease
-- include shared/lease_members

-- Ends a lease, or the share of one member if others go on.
-- ARGV: seconds to remember the token; a token, to end only the lease that has it; the nonce of the member. Returns: the holder, or
-- nothing.
if not held or (ARGV[2] and r[5] ~= ARGV[2]) then return {} end
if ARGV[3] and (redis.call('HGET', KEYS[1], 'group') or '') ~= '' then
  redis.call('HDEL', KEYS[1], 'until:' .. ARGV[3], 'name:' .. ARGV[3])
  if count_members() > 0 then return r end
end
local owner, token = r[1], r[5]
if not ARGV[2] then owner, token = '', next_token() end -- late writes under the old token are refused
redis.call('HSET', KEYS[1], 'nonce', '', 'until', '0', 'owner', owner, 'token', token)
redis.call('EXPIRE', KEYS[1], ARGV[1])
return r
