-- Takes the lease of a server number. Returns 1 if it is ours now, 0 if somebody else has it.
-- KEYS: lease, book, servers. ARGV: token, life in ms, number, fresh 0/1.
-- A fresh number must have no book either: that one waits to be swept.

local lease, book, servers = unpack(KEYS)
local token, life_ms, number, fresh = unpack(ARGV)

local holder = redis.call('GET', lease)
if holder and holder ~= token then return 0 end
if fresh == '1' and redis.call('EXISTS', book) == 1 then return 0 end
redis.call('SET', lease, token, 'PX', life_ms)
redis.call('SADD', servers, number)
return 1
