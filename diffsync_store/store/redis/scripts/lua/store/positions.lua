-- include shared/values

-- KEYS: record, objects. ARGV: model, bytes after which to stop, ids.
-- Returns: nothing in place of field names; the positions of the first ids, at least one, each 8 bytes.
local values = values_of(KEYS[2], ARGV, 3, tonumber(ARGV[2]))
for i = 1, #values do values[i] = values[i] and string.sub(values[i], 1, 8) end
return {'', values}
