-- Records a load, whose counts no longer expire then.
-- KEYS: record, counts of each model. ARGV: the record before or '', the record. Returns: 1; 0 if the record is another one by now.
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
for number = 2, #KEYS do redis.call('PERSIST', KEYS[number]) end
return 1
