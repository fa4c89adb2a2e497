-- include shared/keys_of

-- Removes all keys of a store, its record last: it names the others.
local function unlink_all(record)
  local keys = {}
  each_key(record, function(key) keys[#keys + 1] = key end)
  for from = 1, #keys, 1000 do redis.call('UNLINK', unpack(keys, from, math.min(from + 999, #keys))) end
  redis.call('UNLINK', record)
end
