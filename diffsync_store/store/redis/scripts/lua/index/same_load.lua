-- Whether a store still has the load whose index a reader knows.
local function is_same_load(record, generation)
  return redis.call('HGET', record, 'generation') == generation
end
