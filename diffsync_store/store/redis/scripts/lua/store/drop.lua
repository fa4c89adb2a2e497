-- include shared/unlink

-- Removes a store.
-- KEYS: record.
unlink_all(KEYS[1])
return 1
