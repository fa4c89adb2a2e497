-- include shared/fenced

-- Reserves numbers in the order of all objects that are added outside of a load, for a store whose partitions cannot count together.
-- KEYS: record of the first partition. ARGV: token, generation, how many.
-- Returns: 'done' and the number before the first one, or another status.
local newer = fenced(KEYS[1])
if newer then return {'fenced', newer} end
local generation = redis.call('HGET', KEYS[1], 'generation')
if not generation then return {'gone', ''} end
if generation ~= ARGV[2] then return {'replaced', ''} end
return {'done', redis.call('HINCRBY', KEYS[1], 'sequence', ARGV[3]) - ARGV[3]}
