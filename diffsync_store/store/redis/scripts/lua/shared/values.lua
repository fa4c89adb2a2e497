-- Returns the values of ids from position `first` on, in order; stops after `most` bytes.
local function values_of(objects, ids, first, most)
  local values, size = {}, 0
  for from = first, #ids, 100 do
    local found = redis.call('HMGET', objects, unpack(ids, from, math.min(from + 99, #ids)))
    for i = 1, #found do
      values[#values + 1] = found[i]
      size = size + (found[i] and #found[i] or 0)
    end
    if size >= most then break end
  end
  return values
end
