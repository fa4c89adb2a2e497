-- Returns the number in the two bytes at a position, and the position after them.
local function length_at(text, at)
  local high, low = string.byte(text, at, at + 1)
  return high * 256 + low, at + 2
end

-- Returns the bucket of a hash of 32 bits at a level.
local function bucket_at(hash, level)
  return math.floor(hash / 2 ^ (32 - level))
end

local CRC_TABLE = {}

-- Returns the hash of a unique id, as zlib's crc32.
local function hash_of(id)
  if not CRC_TABLE[0] then
    for byte = 0, 255 do
      local crc = byte
      for _ = 1, 8 do crc = bit.bxor(bit.rshift(crc, 1), bit.band(crc, 1) * 0xEDB88320) end
      CRC_TABLE[byte] = crc
    end
  end
  local crc = 0xFFFFFFFF
  for at = 1, #id do
    crc = bit.bxor(bit.rshift(crc, 8), CRC_TABLE[bit.band(bit.bxor(crc, string.byte(id, at)), 255)])
  end
  return bit.bxor(crc, 0xFFFFFFFF) % 4294967296
end

-- Returns those of the entries that are in a bucket of a level.
local function only_in(text, bucket, level)
  local parts, at = {}, 1
  while at <= #text do
    local length, start = length_at(text, at)
    local after = start + length + 13
    if bucket_at(hash_of(string.sub(text, start, start + length - 1)), level) == bucket then
      parts[#parts + 1] = string.sub(text, at, after - 1)
    end
    at = after
  end
  return table.concat(parts)
end

-- Returns the entries of a bucket of a level in the hash of one shard, whose own buckets are those of another level.
local function of_bucket(key, bucket, level, own)
  if own == level then return redis.call('HGET', key, bucket) or '' end
  if own < level then return only_in(redis.call('HGET', key, math.floor(bucket / 2 ^ (level - own))) or '', bucket, level) end
  local parts, count = {}, 2 ^ (own - level)
  for from = bucket * count, (bucket + 1) * count - 1, 1000 do
    local fields = {}
    for field = from, math.min(from + 1000, (bucket + 1) * count) - 1 do fields[#fields + 1] = field end
    for _, part in ipairs(redis.call('HMGET', key, unpack(fields))) do parts[#parts + 1] = part or '' end
  end
  return table.concat(parts)
end

-- Returns the entries of a bucket of a level in the hashes KEYS[first] to KEYS[last]; `own` has the level of each of the KEYS.
local function of_shards(first, last, bucket, level, own)
  if first == last then return of_bucket(KEYS[first], bucket, level, own[first]) end
  local parts = {}
  for key = first, last do parts[#parts + 1] = of_bucket(KEYS[key], bucket, level, own[key]) end
  return table.concat(parts)
end
