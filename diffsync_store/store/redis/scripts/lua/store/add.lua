-- include shared/batch
-- include shared/may_call

-- Writes adds to the writer's shard without copying them into this script, which costs more than storing them. One transaction has
-- this script with 'open', which checks the batch and moves the objects to the key `adding`; HSET or HSETEX of the new ones to that
-- key; and this script with 'close', which moves them back. No other client sees the key. What is written to it although the batch was
-- not admitted is removed.
-- A user who may not call MULTI would move the objects away for other clients to see: then nothing is opened.
-- KEYS: as for each batch, 8 adding. ARGV: as for each batch, 13 number of the page, 14 page; 15 'open', 'close', or 'ready' to ask
-- whether batches will be opened, 16 number of objects.
-- Returns: for 'ready' nothing if no batch will be opened, as on a server that does not say what the user may call; 1 if the server
-- can also add objects only if none of them is stored, otherwise 0. For 'close' status, epoch, generation, refused adds, as `load` does.
-- The status is 'apart' if nothing can be said to have been written, because objects are stored already or the batch has failed halfway
-- before: then `load` must write the batch.
local adding, opened = KEYS[8], 'adding:' .. token

local function open()
  if not may_call('MULTI') then return end
  redis.call('UNLINK', adding) -- of a transaction whose scripts the server did not have
  redis.call('HDEL', record, opened)
  local status = admit(record)
  if status ~= 'loading' and status ~= 'leaving' then return end
  if begin_batch(status) or is_again then return end
  redis.call('HSET', record, opened, redis.call('HLEN', objects))
  if redis.call('EXISTS', objects) == 1 then redis.call('RENAME', objects, adding) end
end

-- Returns the answer to a batch that was not opened.
local function answer_of_refused()
  redis.call('UNLINK', adding)
  local status, epoch, generation = admit(record)
  if status ~= 'loading' and status ~= 'leaving' then return {left_or(status, generation), epoch, generation, {}} end
  local answer, refused = begin_batch(status)
  return {answer or 'apart', epoch, generation, refused or {}}
end

local function close()
  local before = tonumber(redis.call('HGET', record, opened) or '')
  if not before or before > 0 and redis.call('EXISTS', objects) == 1 then return answer_of_refused() end -- they were not moved
  if redis.call('EXISTS', adding) == 1 then redis.call('RENAME', adding, objects) end
  redis.call('HDEL', record, opened)
  local status, epoch, generation = admit(record)
  local now = redis.call('HLEN', objects)
  if now == before then redis.call('HSET', record, 'at_work:' .. token, '') end
  if now ~= before + tonumber(ARGV[16]) then return {'apart', epoch, generation, {}} end
  redis.call('HSET', pages, ARGV[7] .. ':' .. ARGV[13], ARGV[14])
  end_batch({})
  return {status, epoch, generation, {}}
end

if ARGV[15] == 'ready' then
  return may_call('MULTI') and (may_call('HSETEX', adding, 'FNX', 'FIELDS', 1, 'id', 'value') and 1 or 0)
end
if ARGV[15] == 'open' then return open() end
return close()
