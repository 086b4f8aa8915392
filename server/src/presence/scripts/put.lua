-- Makes Redis say that connection `n` belongs to `user`, whatever it said before. Safe to repeat.
-- The server's book (hash n -> user) is what lets somebody else clean up after this server.
-- KEYS: book, fd, the user's set, online, active.
-- ARGV: prefix, n, user, time of last sign or '', its life in s, time of last ping or '', repair 0/1.
-- Returns the keys of foreign type that were left alone, separated by newlines.

local book, fd, connections, online, active = unpack(KEYS)
local prefix, n, user, sign, life_s, ping, repair = unpack(ARGV)

local before = redis.call('HGET', book, n)
if before and before ~= user then take_away(prefix, n, before) end
redis.call('HSET', book, n, user)
if is_text_or_absent(fd) then redis.call('SET', fd, user) end
try(connections, 'SADD', n)
write_time(online, sign, life_s, repair)
write_time(active, ping, '', repair)
return table.concat(trouble, '\n')
