-- include shared/values

-- KEYS: objects. ARGV: bytes after which to stop, ids.
-- Returns: the positions of the first ids, at least one, each 8 bytes.
local values = values_of(KEYS[1], ARGV, 2, tonumber(ARGV[1]))
for i = 1, #values do values[i] = values[i] and string.sub(values[i], 1, 8) end
return values
