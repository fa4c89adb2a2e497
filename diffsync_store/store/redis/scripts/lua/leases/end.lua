-- include shared/lease

-- Ends a lease.
-- ARGV: seconds to remember the token; a token, to end only the lease that has it. Returns: the holder, or nothing.
if not held or (ARGV[2] and r[5] ~= ARGV[2]) then return {} end
local owner, token = r[1], r[5]
if not ARGV[2] then owner, token = '', next_token() end -- late writes under the old token are refused
redis.call('HSET', KEYS[1], 'nonce', '', 'until', '0', 'owner', owner, 'token', token)
redis.call('EXPIRE', KEYS[1], ARGV[1])
return r
