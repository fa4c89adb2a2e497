-- include shared/keys_of

-- KEYS: record of a store.
-- Returns: the size of the store in bytes, or -1 if the user may not run MEMORY USAGE.
local sum, is_refused = 0, false
local function measure(key)
  local size = not is_refused and redis.pcall('MEMORY', 'USAGE', key)
  is_refused = is_refused or type(size) == 'table'
  sum = sum + (tonumber(size) or 0)
end
measure(KEYS[1])
each_key(KEYS[1], measure)
return is_refused and -1 or sum
