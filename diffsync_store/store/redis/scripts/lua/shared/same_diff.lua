-- Ends the script if the diff was dropped, or replaced by another diff with the same id.
-- KEYS[1]: record of the diff. ARGV[1]: its creation time as the record has it.
if not string.find(redis.call('GET', KEYS[1]) or '', ARGV[1], 1, true) then return {} end
