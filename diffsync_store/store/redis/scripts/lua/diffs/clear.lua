-- Removes a saved diff, unless somebody has decided on it or begun to apply it.
-- KEYS: approval, journal, writer and application of the journal, then the other keys of the diff.
-- Returns: an empty string, or which of 'approval' and 'journal' keeps it.
if redis.call('EXISTS', KEYS[1]) == 1 then return 'approval' end
if redis.call('EXISTS', unpack(KEYS, 2, 4)) > 0 then return 'journal' end
redis.call('UNLINK', unpack(KEYS))
return ''
