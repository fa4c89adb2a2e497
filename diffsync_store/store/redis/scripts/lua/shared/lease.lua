-- KEYS[1]: lease. A lease is held while it has a nonce and its `until` is in the future, or empty (no end).
local names = {'owner', 'reason', 'since', 'until', 'token', 'nonce'}
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local r = redis.call('HMGET', KEYS[1], unpack(names))
local held = r[6] and r[6] ~= '' and (r[4] == '' or tonumber(r[4]) > now)

-- Returns a token larger than every token before it, even if Redis has forgotten those.
local function next_token() return string.format('%.0f', math.max(now, tonumber(r[5] or 0) + 1)) end
