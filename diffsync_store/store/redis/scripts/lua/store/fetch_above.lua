-- Reads objects without those children that the reader does not need. A value is returned whole if that would take long, or if it is more
-- than a flat JSON object without escapes: only in a flat one a byte for a field name is sure to stand for a field of the object.
-- KEYS: record, objects. ARGV: model, bytes after which to stop, names as JSON of the fields to shorten, then for each object its id,
-- and the needed children, each with its length.
-- Returns: as store/fetch.
local find, sub, byte = string.find, string.sub, string.byte
local names, most = redis.call('HGET', KEYS[1], 'names:' .. ARGV[1]) or '', tonumber(ARGV[2])
local fields, codes, values, work, number = {}, {}, {}, 0, 0

for field in string.gmatch(ARGV[3], '[^%z]+') do fields[field .. ':'] = true end
for text in string.gmatch(names, '[^%z]+') do
  number = number + 1
  if fields[sub(text, 2)] then codes[#codes + 1] = string.char(number < 10 and number or number + 1) end
end

-- Returns the needed children as JSON.
local function needed_in(packed)
  local needed, at = {}, 1
  while at <= #packed do
    local length, start = struct.unpack('>H', packed, at)
    needed[#needed + 1], at = '"' .. sub(packed, start, start + length - 1) .. '"', start + length
  end
  return needed
end

-- A value begins with eight bytes of position.
local function is_flat(value)
  return byte(value, 9) == 1 and not find(value, '\1', 10, true) and not find(value, '{', 9, true)
    and not find(value, '\\', 9, true) and not find(value, '\n', 9, true)
end

-- Returns where the list of a field begins and ends; nil if it has none. The end is that of a later list if a field in between has no byte.
local function list_in(value, code)
  local first = find(value, code .. '[', 9, true)
  local last = first and find(value, ']', first, true)
  while last and last + 1 < #value and byte(value, last + 1) > 31 do last = find(value, ']', last + 1, true) end
  if last then return first + 1, last end
end

-- Returns a value with only the needed children in the list of a field, and notes those in `found`.
local function shortened(value, code, needed, found)
  local first, last = list_in(value, code)
  if not first then return value end
  local list, places, at_place = sub(value, first, last), {}, {}
  if find(list, '[', 2, true) then return value end
  for _, child in ipairs(needed) do
    local place = find(list, child, 1, true)
    if child == '","' then return value end -- what is between two others looks alike
    if place and not at_place[place] then places[#places + 1], at_place[place], found[child] = place, child, true end
  end
  table.sort(places)
  for i, place in ipairs(places) do places[i] = at_place[place] end
  return table.concat({sub(value, 1, first), table.concat(places, ','), sub(value, last)})
end

-- Returns a value with only the needed children; whole if one of them is in no list as it is, such as a number.
local function with_needed(value, needed)
  local found, short = {}, value
  for _, code in ipairs(codes) do short = shortened(short, code, needed, found) end
  for _, child in ipairs(needed) do
    if not found[child] then return value end
  end
  return short
end

for i = 4, #ARGV, 2 do
  local value = redis.call('HGET', KEYS[2], ARGV[i])
  local size = value and #value or 0
  if value and is_flat(value) then
    local needed = needed_in(ARGV[i + 1])
    local of_value = size * (1 + #needed)
    if of_value <= most then
      value, size = with_needed(value, needed), of_value
    end
  end
  values[#values + 1], work = value, work + size
  if work >= most then break end
end
return {names, values}
