-- A page has the position of its first id, in 8 bytes. If the first bit is set, the page is that of one of several partitions: then
-- there are the number of ids, in 4 bytes, and the distance of each from the first position, in 2 bytes.
local function has_gaps(page) return string.byte(page) >= 128 end

-- Returns the position of the first id of a page.
local function first_of(page) return struct.unpack('>I8', string.char(string.byte(page) % 128) .. string.sub(page, 2, 8)) end

-- Returns the positions of the ids of a page with gaps; nil if they follow each other.
local function positions_of(page)
  if not has_gaps(page) then return nil end
  local first, positions = first_of(page), {}
  for i = 1, struct.unpack('>I4', page, 9) do positions[i] = first + struct.unpack('>H', page, 11 + 2 * i) end
  return positions
end

-- Returns the unique ids of a page. They are in groups with a common beginning: its length, it, number of the ids, then length and
-- rest of each.
local function ids_of(page)
  local ids, at = {}, has_gaps(page) and 13 + 2 * struct.unpack('>I4', page, 9) or 9
  while at <= #page do
    local head, count, rest
    head, count, at = struct.unpack('>Hc0H', page, at)
    for _ = 1, count do
      rest, at = struct.unpack('>Hc0', page, at)
      ids[#ids + 1] = head .. rest
    end
  end
  return ids
end
