-- Restarts the time to live of all keys of a store. The record is first: it never outlives the other keys.
local function live_on(record, seconds)
  local space = string.sub(record, 1, -7) -- the key without 'record'
  redis.call('EXPIRE', record, seconds)
  redis.call('EXPIRE', space .. 'schema', seconds)
  redis.call('EXPIRE', space .. 'counts', seconds)
  for _, model in ipairs(redis.call('HKEYS', space .. 'schema')) do
    for _, kind in ipairs({'objects', 'order', 'tree', 'sums', 'members'}) do
      redis.call('EXPIRE', space .. kind .. ':' .. model, seconds)
    end
  end
end
