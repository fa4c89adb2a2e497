-- include index/same_load
-- include index/buckets

-- KEYS: record, edges of each shard. ARGV: generation, number of shards, level of each shard's own buckets, bytes of a bucket that
-- are too many, then hash and id of each object.
-- Returns: model and id of each object that lists some of them, and their places in ARGV, from 0 on, in two bytes each; these three
-- with their lengths. False if the store was loaded again, a number if a bucket is too large.
if not is_same_load(KEYS[1], ARGV[1]) then return false end
local LAST = 1 + tonumber(ARGV[2]) -- of the keys; on a cluster there is one more
local most, parents, places = tonumber(ARGV[LAST + 2]), {}, {}

local function put_parents(text, id, place)
  local at = 1
  while at <= #text do
    local length, start = length_at(text, at)
    local after_child = start + length
    local of_model, model = length_at(text, after_child)
    local of_parent, parent = length_at(text, model + of_model)
    at = parent + of_parent
    if length == #id and string.sub(text, start, after_child - 1) == id then
      local found = string.sub(text, after_child, at - 1)
      if not places[found] then places[found], parents[#parents + 1] = {}, found end
      table.insert(places[found], place)
    end
  end
end

for at = LAST + 3, #ARGV, 2 do
  for key = 2, LAST do
    local bucket = bucket_at(tonumber(ARGV[at]), tonumber(ARGV[key + 1]))
    if redis.call('HSTRLEN', KEYS[key], bucket) > most then return 0 end
    put_parents(redis.call('HGET', KEYS[key], bucket) or '', ARGV[at + 1], struct.pack('>H', (at - LAST - 3) / 2))
  end
end
for i, parent in ipairs(parents) do
  local of_parent = table.concat(places[parent])
  parents[i] = parent .. struct.pack('>H', #of_parent) .. of_parent
end
return table.concat(parents)
