-- Returns the server's time in ms since 1970, to the microsecond. Workers' clocks are not used to order events.
local function stamp()
  local t = redis.call('TIME')
  return string.format('%.0f.%03d', t[1] * 1000 + math.floor(t[2] / 1000), t[2] % 1000)
end
