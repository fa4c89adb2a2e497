-- include index/same_load
-- include index/buckets

-- KEYS: record, entries of each shard. ARGV: generation, number of shards, level of each shard's own buckets, then hash and id of
-- each object.
-- Returns: for each object its flag, '0' if the index does not have it; false if the store was loaded again.
if not is_same_load(KEYS[1], ARGV[1]) then return false end
local LAST = 1 + tonumber(ARGV[2]) -- of the keys; on a cluster there is one more
local flags = {}

local function flag_in(text, id)
  local at = 1
  while at <= #text do
    local length, start = length_at(text, at)
    local after = start + length
    if length == #id and string.sub(text, start, after - 1) == id then return string.sub(text, after + 12, after + 12) end
    at = after + 13
  end
end

for at = LAST + 2, #ARGV, 2 do
  local found
  for key = 2, LAST do
    local bucket = bucket_at(tonumber(ARGV[at]), tonumber(ARGV[key + 1]))
    found = found or flag_in(redis.call('HGET', KEYS[key], bucket) or '', ARGV[at + 1])
  end
  flags[#flags + 1] = found or '0'
end
return table.concat(flags)
