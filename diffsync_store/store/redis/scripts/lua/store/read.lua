-- include shared/values

-- KEYS: objects, order. ARGV: position after which to start, number of objects, bytes after which to stop.
-- Returns: the last position read, ids, values.
local ids = redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. ARGV[1], '+inf', 'LIMIT', 0, ARGV[2])
if #ids == 0 then return {ARGV[1], {}, {}} end
local values = values_of(KEYS[1], ids, 1, tonumber(ARGV[3]))
for i = #ids, #values + 1, -1 do ids[i] = nil end
return {redis.call('ZSCORE', KEYS[2], ids[#ids]), ids, values}
