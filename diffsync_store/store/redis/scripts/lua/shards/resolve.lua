-- include shared/of_shard

-- Puts objects that two shards have loaded in their place if the other shard has given them up.
-- KEYS: record, shards, counts, objects, pages, order, touched, nodes, twice: their values by id, and their nodes by byte 255 and id. ARGV: as for each script of a shard, 5 model, 6 number of the shard that has loaded
-- them second, 7 cursor.
-- Returns: status, cursor, an id that is still in two shards, the number of its first one, the ids that are in their place now. The
-- cursor is '0' at the end.
local refused = is_refused()
if refused then return {refused, '0', false, '', {}} end
local record, shards, counts, objects, pages, order, touched, nodes, twice = unpack(KEYS)
local found = redis.call('HSCAN', twice, ARGV[7], 'COUNT', 200)
local pairs_, placed = found[2], {}
for i = 1, #pairs_, 2 do
  local uid, value = pairs_[i], pairs_[i + 1]
  if string.byte(uid) ~= 255 then
    local stored = redis.call('HGET', objects, uid)
    local first = stored and math.floor(struct.unpack('>I8', stored) / 1099511627776)
    if stored and first ~= tonumber(ARGV[6]) then return {'done', found[1], uid, tostring(first), {}} end
    local node = redis.call('HGET', twice, '\255' .. uid)
    redis.call('HSET', objects, uid, value)
    placed[#placed + 1] = uid
    if node then redis.call('HSET', nodes, uid, node) else redis.call('HDEL', nodes, uid) end
  end
end
redis.call('HSET', counts, ARGV[5], redis.call('HLEN', objects))
redis.call('HSET', record, 'models', redis.call('HLEN', counts), 'keys:' .. ARGV[5], redis.call('EXISTS', objects, pages, order, touched))
return {'done', found[1], false, '', placed}
