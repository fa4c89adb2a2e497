-- Returns whether the server has a command, and the user may call it; servers before Redis 7 do not say.
local function may_call(...)
  local is_known, may = pcall(redis.acl_check_cmd, ...)
  return is_known and may
end
