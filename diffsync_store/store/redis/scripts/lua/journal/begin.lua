-- include shared/stamp
-- include shared/same_diff
-- include shared/server

-- Makes a sync the only writer of the journal.
-- KEYS: record, writer, journal. ARGV: creation time of the diff, who applies it, seconds to live.
-- Returns: nothing if it is another diff; else the number of the sync, larger than every number before it; '1' if the server
-- was restarted or replaced since the last sync, so that entries may be lost; the time.
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local run = server()
local last = redis.call('HMGET', KEYS[2], 'number', 'run', 'suspect')
local suspect = last[3] or ''
if last[1] and last[2] ~= run or not last[1] and redis.call('EXISTS', KEYS[3]) == 1 then suspect = '1' end
local number = string.format('%.0f', math.max(now, tonumber(last[1] or 0) + 1))
redis.call('DEL', KEYS[2])
redis.call('HSET', KEYS[2], 'number', number, 'by', ARGV[2], 'at', string.format('%.0f', now), 'run', run,
  'suspect', suspect, 'alive', stamp())
redis.call('EXPIRE', KEYS[2], ARGV[3])
return {number, suspect, stamp()}
