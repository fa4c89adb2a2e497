-- Returns the run id of the server; it changes after a restart and after a failover.
local function server()
  return string.match(redis.call('INFO', 'server'), 'run_id:(%w+)') or ''
end
