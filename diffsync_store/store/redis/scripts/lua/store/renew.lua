-- include shared/live_on

-- Restarts the time to live of a store, unless more is left.
-- KEYS: record. ARGV: seconds to live.
local left = redis.call('TTL', KEYS[1])
if left >= 0 and left <= tonumber(ARGV[1]) then live_on(KEYS[1], ARGV[1]) end
return 1
