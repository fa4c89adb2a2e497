-- include index/same_load
-- include index/buckets

-- Adds up the digests of each group of a bucket: the first hex digit of the SHA-1 of an id is its group.
-- KEYS: record, entries of each shard. ARGV: generation, number of shards, level of each shard's own buckets, level of the buckets
-- to add up, then these buckets.
-- Returns: for each bucket 16 sums of 12 bytes; false if the store was loaded again.
if not is_same_load(KEYS[1], ARGV[1]) then return false end
local LAST = 1 + tonumber(ARGV[2]) -- of the keys; on a cluster there is one more
local level, own, parts = tonumber(ARGV[LAST + 2]), {}, {}
for key = 2, LAST do own[key] = tonumber(ARGV[key + 1]) end

-- A sum is four numbers of 24 bits, the lowest first.
local function add(sum, text, at)
  local carry = 0
  for part = 1, 4 do
    local byte = at + 12 - 3 * part
    local a, b, c = string.byte(text, byte, byte + 2)
    local total = sum[part] + a * 65536 + b * 256 + c + carry
    carry = total >= 16777216 and 1 or 0
    sum[part] = total - carry * 16777216
  end
end

local function packed(sum)
  local bytes = {}
  for part = 4, 1, -1 do
    local number = sum[part]
    bytes[#bytes + 1] = string.char(math.floor(number / 65536), math.floor(number / 256) % 256, number % 256)
  end
  return table.concat(bytes)
end

for at = LAST + 3, #ARGV do
  local text, place, sums = of_shards(2, LAST, tonumber(ARGV[at]), level, own), 1, {}
  while place <= #text do
    local length, start = length_at(text, place)
    local group = tonumber(string.sub(redis.sha1hex(string.sub(text, start, start + length - 1)), 1, 1), 16)
    sums[group] = sums[group] or {0, 0, 0, 0}
    add(sums[group], text, start + length)
    place = start + length + 13
  end
  for group = 0, 15 do parts[#parts + 1] = packed(sums[group] or {0, 0, 0, 0}) end
end
return table.concat(parts)
