-- include shared/fenced
-- include shared/stamp
-- include shared/claims

-- Returns a status if the caller is not the writer of a shard any more: 'fenced', 'gone' or 'replaced'; and otherwise renews its claim.
-- KEYS: 1 record. ARGV: 1 token, 2 generation, 3 number of the shard, 4 claim in ms.
local function is_refused()
  if fenced(KEYS[1]) then return 'fenced' end
  local r = redis.call('HMGET', KEYS[1], 'generation', 'token:' .. ARGV[3])
  if not r[1] then return 'gone' end
  if r[1] ~= ARGV[2] or r[2] ~= ARGV[1] then return 'replaced' end
  redis.call('HSET', KEYS[1], 'until:' .. ARGV[3], milliseconds() + tonumber(ARGV[4]))
  return nil
end
