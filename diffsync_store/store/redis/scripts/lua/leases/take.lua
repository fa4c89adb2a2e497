-- include shared/lease
-- include shared/lease_members

-- Takes a lease, or joins those who share it.
-- ARGV: nonce, owner, reason, time to live in ms or empty, seconds to remember the token, group that may share the lease or empty.
-- Returns: 1 and the token, or 0 and the holder.
if held and r[6] == ARGV[1] then return {1, r[5]} end -- the answer to an earlier call was lost
local group = ARGV[6]
local shares = held and group ~= '' and redis.call('HGET', KEYS[1], 'group') == group
if held and not shares then return {0, unpack(r)} end
local token, till = r[5], ''
if ARGV[4] ~= '' then till = string.format('%.0f', now + tonumber(ARGV[4])) end
if not shares then
  token = next_token()
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], 'owner', ARGV[2], 'reason', ARGV[3], 'since', string.format('%.0f', now), 'until', till,
    'token', token, 'nonce', ARGV[1], 'group', group)
end
if till ~= '' then redis.call('EXPIRE', KEYS[1], ARGV[5]) end
if group ~= '' then
  redis.call('HSET', KEYS[1], 'name:' .. ARGV[1], ARGV[2], 'until:' .. ARGV[1], till)
  count_members()
end
return {1, token}
