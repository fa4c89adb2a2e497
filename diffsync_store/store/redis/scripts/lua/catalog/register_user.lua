-- include shared/stamp

-- Registers a user of the namespace, and forgets those that have not registered for some time.
-- KEYS: users. ARGV: id of the user, description, seconds after which a user is forgotten.
-- Returns: description and time of the last registration of each other user.
local now, found = tonumber(stamp()), {}
local users = redis.call('HGETALL', KEYS[1])
for i = 1, #users, 2 do
  local at, description = string.match(users[i + 1], '^(%S+) (.*)$')
  if tonumber(at) < now - tonumber(ARGV[3]) * 1000 then
    redis.call('HDEL', KEYS[1], users[i])
  elseif users[i] ~= ARGV[1] then
    found[#found + 1] = description
    found[#found + 1] = at
  end
end
redis.call('HSET', KEYS[1], ARGV[1], stamp() .. ' ' .. ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[3])
return found
