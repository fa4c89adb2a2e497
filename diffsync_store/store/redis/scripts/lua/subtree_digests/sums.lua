-- include subtree_digests/nodes

-- KEYS: record. ARGV: model.
-- Returns: n, k, m over all top-level objects, then number and sum of each bucket in one string; nothing if a part is lost.
local sums = space .. 'sums:' .. ARGV[1]
local found, parts, totals = redis.call('HGETALL', sums), {}, {n = 0, k = 0, m = 0}
for i = 1, #found, 2 do
  if totals[found[i]] then
    totals[found[i]] = tonumber(found[i + 1])
  else
    parts[#parts + 1] = struct.pack('>H', tonumber(found[i])) .. found[i + 1]
  end
end
if redis.call('HLEN', space .. 'members:' .. ARGV[1]) ~= #parts then return {} end
if #parts == 0 and redis.call('EXISTS', space .. 'objects:' .. ARGV[1]) == 1 then return {} end
return {totals.n, totals.k, totals.m, table.concat(parts)}
