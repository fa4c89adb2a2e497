-- include shared/batch

-- Writes a batch outside of a shard.
-- KEYS and ARGV as for each batch. ARGV: 13 epoch in which the writer knew that the adds are new, or empty; 14 the numbers
-- that the writer has reserved for the objects in the order of additions, each 8 bytes, or empty: then they get the next ones.
-- Returns: status, epoch, generation, unique ids of adds that were refused.
local status, epoch, generation = admit(record)
if status ~= 'exclusive' and status ~= 'shared' then return {status, epoch, generation, {}} end
local answer, refused = begin_batch(status)
if answer then return {answer, epoch, generation, refused} end
refused = {}

-- Returns the new objects of the batch; refuses the others.
local function new_objects()
  local new = {}
  each_stored(function(old, uid, value)
    if not old then
      new[#new + 1] = uid
      new[#new + 1] = value
    elseif not is_again or string.sub(old, POSITION + 1) ~= value then
      refused[#refused + 1] = uid
    end
  end)
  return new
end

redis.call('HSET', record, 'changed', '1') -- since the seal, if it was loaded in shards
touch(uids_of_batch()) -- first: a write that fails halfway has changed some of them
if kind == 'deletes' then
  remove(uids_of_batch())
elseif kind == 'puts' then
  place(replace(), ARGV[14])
elseif kind == 'adds' and status == 'exclusive' and epoch == ARGV[13] and not is_again then
  place({unpack(ARGV, 15)}, ARGV[14])
elseif kind == 'adds' then
  place(new_objects(), ARGV[14])
else
  replace()
end
end_batch(refused)
return {status, epoch, generation, refused}
