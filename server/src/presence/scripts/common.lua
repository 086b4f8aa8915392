-- Shared by put.lua and drop.lua: what may be done to the classic keys of one connection.
-- A key of that name which somebody else uses for another type is left alone and reported, never harmed.

local trouble = {}

-- Runs a command on one key; nil if the key is of a foreign type. Any other failure ends the script.
local function try(key, command, ...)
    local reply = redis.pcall(command, key, ...)
    if type(reply) == 'table' and reply.err then
        if string.find(reply.err, 'WRONGTYPE', 1, true) then
            trouble[#trouble + 1] = key
            return nil
        end
        error(reply.err, 0)
    end
    return reply
end

-- SET would replace a foreign key whatever its type: look first.
local function is_text_or_absent(key)
    local kind = redis.call('TYPE', key).ok
    if kind == 'string' or kind == 'none' then return true end
    trouble[#trouble + 1] = key
    return false
end

-- Writes a time. A repair never puts a time back that another connection or server has moved on.
local function write_time(key, time, life_s, repair)
    if time == '' or not is_text_or_absent(key) then return end
    if repair == '1' then
        local there = redis.call('GET', key)
        if there and there >= time then return end
    end
    if life_s == '' then
        redis.call('SET', key, time)
    else
        redis.call('SET', key, time, 'EX', life_s)
    end
end

-- Takes connection `n` away from `user`: its fd key, its place in the user's set, and `online:` if it was
-- the last one. A set of foreign type cannot tell who is left: then `online:` lives out its time.
local function take_away(prefix, n, user)
    local fd = prefix .. 'fd:' .. n
    if try(fd, 'GET') == user then redis.call('DEL', fd) end
    local connections = prefix .. user
    try(connections, 'SREM', n)
    if try(connections, 'SCARD') == 0 then
        local online = prefix .. 'online:' .. user
        if is_text_or_absent(online) then redis.call('DEL', online) end
    end
end
