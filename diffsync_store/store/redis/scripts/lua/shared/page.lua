-- Returns the unique ids of a page. After the position of the first one, a page has groups of ids with a common beginning: its
-- length, it, number of the ids, then length and rest of each.
local function ids_of(page)
  local ids, at = {}, 9
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
