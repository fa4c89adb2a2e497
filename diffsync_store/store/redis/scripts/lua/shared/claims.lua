-- include shared/milliseconds

-- Returns whether a claim of another writer than ARGV 1 is alive: of a writer of the store, or of one of its shards.
local function is_claimed(record, now)
  local r = redis.call('HMGET', record, 'token', 'until', 'shards')
  if r[1] and r[1] ~= ARGV[1] and tonumber(r[2] or 0) > now then return true end
  for shard = 0, (tonumber(r[3] or '') or 0) - 1 do
    local of_shard = redis.call('HMGET', record, 'token:' .. shard, 'until:' .. shard)
    if of_shard[1] and of_shard[1] ~= ARGV[1] and tonumber(of_shard[2] or 0) > now then return true end
  end
  return false
end
