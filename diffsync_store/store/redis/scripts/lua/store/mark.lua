-- include shared/fenced
-- include shared/server
-- include shared/stamp
-- include shared/live_on

-- Writes facts about the store into its record. A state ends the load, and starts the time to live.
-- A load that ends on another server than it began on has failed: writes that the first server confirmed may be missing.
-- KEYS: record. ARGV: token, generation, seconds to live, then pairs of field and value.
if fenced(KEYS[1]) then return 'fenced' end
local r = redis.call('HMGET', KEYS[1], 'generation', 'state', 'server')
if not r[1] then return 'gone' end
if r[1] ~= ARGV[2] then return 'replaced' end
local ends = false
for i = 4, #ARGV, 2 do
  ends = ends or ARGV[i] == 'state'
  local ends_well = ARGV[i] == 'state' and ARGV[i + 1] ~= 'failed'
  if ends_well and r[2] == 'loading' and r[3] and r[3] ~= server() then return 'moved' end
end
if ends then live_on(KEYS[1], ARGV[3]) end
redis.call('HSET', KEYS[1], 'updated', stamp(), unpack(ARGV, 4))
return 'done'
