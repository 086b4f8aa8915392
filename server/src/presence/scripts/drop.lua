-- Removes what the book says was written for connection `n`. Safe to repeat.
-- KEYS: book, and for a sweep the lease of the server whose book it is: if it lives (again), nothing is done.
-- ARGV: prefix, n, the active key or '', time of last ping.
-- Returns the keys of foreign type that were left alone, separated by newlines.

local book, lease = unpack(KEYS)
local prefix, n, active, ping = unpack(ARGV)

if lease and redis.call('EXISTS', lease) == 1 then return '' end
if active ~= '' then write_time(active, ping, '', '0') end
local user = redis.call('HGET', book, n)
if user then
    take_away(prefix, n, user)
    redis.call('HDEL', book, n)
end
return table.concat(trouble, '\n')
