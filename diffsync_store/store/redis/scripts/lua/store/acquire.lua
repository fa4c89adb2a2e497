-- include shared/admit

-- Asks for a claim on the store.
-- KEYS: record, objects. Returns: status, epoch, generation, number of objects.
local number = redis.call('HLEN', KEYS[2])
local status, epoch, generation = admit(KEYS[1])
if generation ~= '' then keep_alive(KEYS[1]) end
return {status, epoch, generation, number}
