-- Renews a lease. Returns how many connections the book holds, or -1 if the lease is not ours (any more):
-- it ran out, somebody else has it, or Redis came back empty.
-- KEYS: lease, book. ARGV: token, life in ms.

if redis.call('GET', KEYS[1]) ~= ARGV[1] then return -1 end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return redis.call('HLEN', KEYS[2])
