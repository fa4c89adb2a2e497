-- include shared/of_shard
-- include shared/page

-- Removes the objects of one page of a shard, with their nodes. Call it until the answer is 'end'.
-- KEYS: record, shards, counts, objects, pages, order, touched, nodes. ARGV: as for each script of a shard, 5 model, 6 number of the shard to clear.
-- Returns: status; 'more', or 'end' if there is no further page; the ids of the removed objects.
-- The number of the next page is in the hash of the shards until the end: whoever goes on after this one has died begins there.
local refused = is_refused()
if refused then return refused end
local record, shards, counts, objects, pages, order, touched, nodes = unpack(KEYS)
local shard, field = tonumber(ARGV[6]), ARGV[6] .. ':clear:' .. ARGV[5]
local next_page = redis.call('HGET', shards, field) or '0'
local page = redis.call('HGET', pages, shard .. ':' .. next_page)
if not page then
  redis.call('HDEL', shards, field)
  return {'done', 'end', {}}
end
local uids, own = ids_of(page), {}
for from = 1, #uids, 500 do
  local to = math.min(from + 499, #uids)
  local values = redis.call('HMGET', objects, unpack(uids, from, to))
  for i, value in ipairs(values) do
    if value and math.floor(struct.unpack('>I8', value) / 1099511627776) == shard then own[#own + 1] = uids[from + i - 1] end
  end
end
for from = 1, #own, 1000 do
  redis.call('HDEL', objects, unpack(own, from, math.min(from + 999, #own)))
  redis.call('HDEL', nodes, unpack(own, from, math.min(from + 999, #own)))
end
redis.call('HSET', shards, field, next_page + 1)
redis.call('HDEL', pages, shard .. ':' .. next_page)
local n = redis.call('HLEN', objects)
if n > 0 then redis.call('HSET', counts, ARGV[5], n) else redis.call('HDEL', counts, ARGV[5]) end
redis.call('HSET', record, 'models', redis.call('HLEN', counts), 'keys:' .. ARGV[5],
  redis.call('EXISTS', objects, pages, order, touched))
return {'done', 'more', own}
