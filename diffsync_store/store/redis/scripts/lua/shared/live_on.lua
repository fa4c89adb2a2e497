-- include shared/keys_of

-- Restarts the time to live of all keys of a store. The record is first: it never outlives the other keys.
local function live_on(record, seconds)
  redis.call('EXPIRE', record, seconds)
  each_key(record, function(key) redis.call('EXPIRE', key, seconds) end)
end
