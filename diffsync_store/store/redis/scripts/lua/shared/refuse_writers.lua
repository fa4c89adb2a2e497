-- Refuses what the writers of the declared shards may still send: they have ended, or have given no sign of life.
local function refuse_writers(record, shards)
  for shard = 0, shards - 1 do
    local token = redis.call('HGET', record, 'token:' .. shard)
    if token and token ~= '' then
      redis.call('HDEL', record, 'batch:' .. token, 'refused:' .. token, 'at_work:' .. token)
      redis.call('HSET', record, 'token:' .. shard, '', 'until:' .. shard, 0)
    end
  end
end
