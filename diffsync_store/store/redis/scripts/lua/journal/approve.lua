-- include shared/same_diff

-- KEYS: record, approval. ARGV: creation time of the diff, approval, seconds to live, the decision before it or ''.
-- Returns: 1; 2 if there is another decision by now; nothing if it is another diff.
if (redis.call('GET', KEYS[2]) or '') ~= ARGV[4] then
  return {2}
end
redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[3])
return {1}
