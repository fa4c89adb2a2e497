-- Writes the record of a diff.
-- KEYS: elements, record. ARGV: number of pages, seconds to live, record.
-- Returns: 1, or 0 if the elements are not complete.
if redis.call('LLEN', KEYS[1]) ~= tonumber(ARGV[1]) then return 0 end
redis.call('EXPIRE', KEYS[1], ARGV[2])
redis.call('SET', KEYS[2], ARGV[3], 'EX', ARGV[2])
return 1
