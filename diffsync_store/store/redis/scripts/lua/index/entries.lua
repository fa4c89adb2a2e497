-- include index/same_load
-- include index/buckets

-- KEYS: record, entries of each shard. ARGV: generation, number of shards, level of each shard's own buckets, level of the buckets
-- to read, then for each of these its number and the hex digits of the groups to return, or '*' for all.
-- Returns: the entries; false if the store was loaded again.
if not is_same_load(KEYS[1], ARGV[1]) then return false end
local LAST = 1 + tonumber(ARGV[2]) -- of the keys; on a cluster there is one more
local level, own, parts = tonumber(ARGV[LAST + 2]), {}, {}
for key = 2, LAST do own[key] = tonumber(ARGV[key + 1]) end

local function put_groups(text, groups)
  local at = 1
  while at <= #text do
    local length, start = length_at(text, at)
    local after = start + length + 13
    local group = string.sub(redis.sha1hex(string.sub(text, start, start + length - 1)), 1, 1)
    if string.find(groups, group, 1, true) then parts[#parts + 1] = string.sub(text, at, after - 1) end
    at = after
  end
end

for at = LAST + 3, #ARGV, 2 do
  local text = of_shards(2, LAST, tonumber(ARGV[at]), level, own)
  if ARGV[at + 1] == '*' then parts[#parts + 1] = text else put_groups(text, ARGV[at + 1]) end
end
return table.concat(parts)
