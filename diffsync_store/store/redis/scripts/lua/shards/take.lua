-- include shared/fenced
-- include shared/claims
-- include shared/server
-- include shared/refuse_writers

-- Asks to seal a load in shards. The caller becomes the writer of one more shard, after the declared ones, for what is between them.
-- From then on a writer of a shard whose claim has ended is refused: the seal removes what it has written.
-- KEYS: record, shards. ARGV: token, claim in ms.
-- Returns: status, generation, number of that shard, run id of the server, the hash of the shards. The status is 'sealing', 'sealed',
-- 'wait' with the number of a shard that is being loaded (or of the one of another process that seals) and the end of its claim, 'none' if the store is not
-- loaded in shards, 'gone', or 'fenced'.
local record, now = KEYS[1], milliseconds()
local newer = fenced(record)
if newer then return {'fenced', newer, '', '', {}} end
local r = redis.call('HMGET', record, 'generation', 'shards', 'plan', 'sealed', 'layout')
if not r[1] then return {'gone', '', '', '', {}} end
if not r[3] or r[5] ~= '2' then return {'none', '', '', '', {}} end
if r[4] then return {'sealed', r[1], '', '', {}} end
local own = tonumber(r[2]) - 1
for shard = 0, own do
  local of_shard = redis.call('HMGET', record, 'token:' .. shard, 'until:' .. shard)
  if of_shard[1] and of_shard[1] ~= '' and of_shard[1] ~= ARGV[1] and tonumber(of_shard[2] or 0) > now then
    return {'wait', tostring(shard), tostring(own), of_shard[2], {}}
  end
end
refuse_writers(record, own)
redis.call('HSET', record, 'token:' .. own, ARGV[1], 'until:' .. own, now + tonumber(ARGV[2]))
return {'sealing', r[1], tostring(own), server(), redis.call('HGETALL', KEYS[2])}
