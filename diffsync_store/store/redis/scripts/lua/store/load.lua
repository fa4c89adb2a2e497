-- include shared/batch

-- Writes a batch to the writer's shard, whose unique ids only the writer knows: adds are not checked.
-- KEYS and ARGV as for each batch, values of adds with their positions. ARGV: 12 number of the page, 13 page, both of adds.
-- Returns: status, epoch, generation, unique ids of refused adds, always none. The batch was written if the status is 'loading'
-- or 'leaving'; if it is 'exclusive' or 'shared', other writers have come, and the batch must be written outside of the shard.
local status, epoch, generation = admit(record)
if status ~= 'loading' and status ~= 'leaving' then
  if generation ~= '' and tonumber(redis.call('HGET', record, 'batch:' .. token) or 0) >= number then
    status = 'left' -- the batch was written before they came
  end
  return {status, epoch, generation, {}}
end
local answer, refused = begin_batch(status)
if answer then return {answer, epoch, generation, refused} end
if kind == 'adds' then
  redis.call('HSET', objects, unpack(ARGV, 14))
  redis.call('HSET', pages, ARGV[7] .. ':' .. ARGV[12], ARGV[13])
elseif kind == 'deletes' then
  remove(uids_of_batch())
else
  replace()
end
end_batch({})
return {status, epoch, generation, {}}
