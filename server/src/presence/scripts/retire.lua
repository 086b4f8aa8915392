-- Ends a server number. Its own server gives its token and loses the lease; a sweeper gives none, and nothing happens
-- while the lease lives. The number is struck off the list only when its book is empty.
-- KEYS: lease, book, servers. ARGV: token or '', number.

local lease, book, servers = unpack(KEYS)
local token, number = unpack(ARGV)

if token ~= '' and redis.call('GET', lease) == token then redis.call('DEL', lease) end
if redis.call('EXISTS', lease) == 0 and redis.call('EXISTS', book) == 0 then
    redis.call('SREM', servers, number)
end
return 0
