local space = string.sub(KEYS[1], 1, -7) -- the key without 'record'

-- Returns x, y, n, k, m of a packed node as its parents count it; zeros for an object that is not stored.
local function answer(packed)
  local kind = packed and string.byte(packed) or 0
  if kind == 1 then return string.sub(packed, 2, 13) .. '\0\0\0\1\0\0\0\0\0\0\0\0' end
  if kind == 5 then return string.sub(packed, 14, 37) end
  if kind == 3 or kind == 7 then return string.sub(packed, 2, 13) .. '\0\0\0\0\0\0\0\1\0\0\0\0' end
  return string.rep('\0', 24)
end
