-- include shared/same_diff

-- KEYS: record, approval. ARGV: creation time of the diff, approval, seconds to live.
-- Returns: 1, or nothing if it is another diff.
redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[3])
return {1}
