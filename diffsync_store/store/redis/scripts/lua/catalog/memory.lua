-- KEYS: the keys of a store.
-- Returns: their size in bytes, or -1 if the user may not run MEMORY USAGE.
local sum = 0
for _, key in ipairs(KEYS) do
  local size = redis.pcall('MEMORY', 'USAGE', key)
  if type(size) == 'table' then return -1 end
  sum = sum + (size or 0)
end
return sum
