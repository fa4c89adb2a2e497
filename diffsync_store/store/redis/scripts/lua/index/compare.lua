-- include index/same_load
-- include index/buckets

-- Compares the entries of two stores, a part of the buckets at each call.
-- KEYS: record of the source and of the target, sums of both at one level, the entries of each of the source's shards, those of
-- the target's. ARGV: generation of the source and of the target, number of the source's shards, bucket to begin with, the level,
-- then for each of the KEYS of entries the level of its own buckets.
-- Returns: the bucket to go on with; of each object that differs the flag on both sides ('0' if it is absent), length and unique
-- id. The bucket is -1 if a store was loaded again, -2 if sums and entries do not match.
local SUM, TAIL, SLICE, BLOCK, MOST = 12, 13, 4096, 64, 8000
local sub, out, work = string.sub, {}, 0

if not is_same_load(KEYS[1], ARGV[1]) or not is_same_load(KEYS[2], ARGV[2]) then return {-1, ''} end
local shards, bucket, level, own = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), {}
local buckets = 2 ^ level
for at = 6, #ARGV do own[at - 1] = tonumber(ARGV[at]) end
local LAST = #ARGV - 1 -- of the keys; on a cluster there is one more
if redis.call('STRLEN', KEYS[3]) ~= buckets * SUM or redis.call('STRLEN', KEYS[4]) ~= buckets * SUM then return {-2, ''} end

local function put(source, target, id)
  out[#out + 1] = source .. target .. id
end

-- An id has its length before it. A tail is digest and flag.
local function id_and_tail(text, at)
  local length, start = length_at(text, at)
  local tail = start + length
  return sub(text, at, tail - 1), sub(text, tail, tail + TAIL - 1), tail + TAIL
end

-- Entries that differ only in their digests are at the same place in both. Returns where this ends.
local function compare_in_place(source, target)
  local a, b = 1, 1
  while a <= #source and b <= #target do
    local length, start = length_at(source, a)
    local size = start + length + TAIL - a
    local entry, other = sub(source, a, a + size - 1), sub(target, b, b + size - 1)
    if entry ~= other then
      local id = sub(entry, 1, -TAIL - 1)
      if id ~= sub(other, 1, -TAIL - 1) then break end
      put(sub(entry, -1), sub(other, -1), id)
    end
    a, b, work = a + size, b + size, work + 1
  end
  return a, b
end

local function compare_by_id(source, a, target, b)
  local tails = {}
  while a <= #source do
    local id, tail, after = id_and_tail(source, a)
    tails[id], a, work = tail, after, work + 1
  end
  while b <= #target do
    local id, tail, after = id_and_tail(target, b)
    local found = tails[id]
    if found ~= tail then put(found and sub(found, -1) or '0', sub(tail, -1), id) end
    tails[id], b, work = nil, after, work + 1
  end
  for id, tail in pairs(tails) do put(sub(tail, -1), '0', id) end
end

-- Returns false if the entries are equal although the sums differ.
local function compare_bucket(number)
  local source = of_shards(5, 4 + shards, number, level, own)
  local target = of_shards(5 + shards, LAST, number, level, own)
  local before = #out
  local a, b = compare_in_place(source, target)
  compare_by_id(source, a, target, b)
  return #out > before
end

while bucket < buckets and work < MOST do
  local to = math.min(bucket + SLICE, buckets)
  local source = redis.call('GETRANGE', KEYS[3], bucket * SUM, to * SUM - 1)
  local target = redis.call('GETRANGE', KEYS[4], bucket * SUM, to * SUM - 1)
  local first = bucket
  work = work + BLOCK
  if source == target then bucket = to end
  while bucket < to and work < MOST do
    local till = math.min(bucket + BLOCK, to)
    local from, size = (bucket - first) * SUM + 1, (till - bucket) * SUM
    if sub(source, from, from + size - 1) == sub(target, from, from + size - 1) then bucket = till end
    work = work + 1
    while bucket < till and work < MOST do
      local at = (bucket - first) * SUM + 1
      if sub(source, at, at + SUM - 1) ~= sub(target, at, at + SUM - 1) and not compare_bucket(bucket) then return {-2, ''} end
      bucket = bucket + 1
    end
  end
end
return {bucket, table.concat(out)}
