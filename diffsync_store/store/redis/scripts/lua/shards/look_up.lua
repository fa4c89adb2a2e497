-- include shared/of_shard

-- Returns what a seal must know about objects: for each id '-' if it is not stored, otherwise its node, empty if none is kept.
-- KEYS: record, objects, nodes. ARGV: as for each script of a shard, from 5 on ids, at most 1,000.
-- Returns: status, answers.
local refused = is_refused()
if refused then return {refused, {}} end
local nodes = redis.call('HMGET', KEYS[3], unpack(ARGV, 5))
for i = 1, #ARGV - 4 do
  nodes[i] = nodes[i] or (redis.call('HEXISTS', KEYS[2], ARGV[i + 4]) == 1 and '' or '-')
end
return {'done', nodes}
