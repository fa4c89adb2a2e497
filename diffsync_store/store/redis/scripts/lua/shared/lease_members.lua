-- include shared/lease

-- A lease that a group shares lasts as long as that of its last member. `owner` names all of them.
local function count_members()
  local names, latest = {}, 0
  for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
    local member = string.match(field, '^until:(.*)$')
    local till = member and tonumber(redis.call('HGET', KEYS[1], field))
    if till and till > now then
      names[#names + 1] = redis.call('HGET', KEYS[1], 'name:' .. member)
      latest = math.max(latest, till)
    elseif till then
      redis.call('HDEL', KEYS[1], field)
    end
  end
  table.sort(names)
  if #names > 0 then
    redis.call('HSET', KEYS[1], 'owner', table.concat(names, ', '), 'until', string.format('%.0f', latest))
  end
  return #names
end
