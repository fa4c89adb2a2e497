-- Returns the owner of a newer lease than that of the writer, or nil. The writer's token, ARGV 1, ends in `:FENCING_TOKEN`.
local function fenced(record)
  local own = tonumber(string.match(ARGV[1], ':(%d+)$'))
  if not own then return nil end
  local lease = redis.call('HMGET', string.sub(record, 1, -7) .. 'lease', 'token', 'owner') -- the key without 'record'
  if lease[1] and tonumber(lease[1]) > own then return lease[2] or '' end
  return nil
end
