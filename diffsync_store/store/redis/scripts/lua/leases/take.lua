-- include shared/lease

-- Takes a lease.
-- ARGV: nonce, owner, reason, time to live in ms or empty, seconds to remember the token.
-- Returns: 1 and the token, or 0 and the holder.
if held and r[6] == ARGV[1] then return {1, r[5]} end -- the answer to an earlier call was lost
if held then return {0, unpack(r)} end
local token, till = next_token(), ''
if ARGV[4] ~= '' then till = string.format('%.0f', now + tonumber(ARGV[4])) end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'owner', ARGV[2], 'reason', ARGV[3], 'since', string.format('%.0f', now), 'until', till,
  'token', token, 'nonce', ARGV[1])
if till ~= '' then redis.call('EXPIRE', KEYS[1], ARGV[5]) end
return {1, token}
