-- What the scripts of the limiter share: the endpoint's state, its limits as they hold now, and their pace.
--
-- KEYS  1  hash, the state         times are microseconds since 1970 on the server's clock, money is in nanos
--       2  sorted set, in flight   permit `reserved:start:id` by the time at which it lapses
--       3  hash, limits set while running, by name
--       4  hash, tokens of the calls that started in a slice of time, by the slice's number since 1970
-- ARGV  1  what is asked, as JSON
--
-- State:  requests, tokens                         theoretical arrival times (see broker/limits.py), and
--         requests_interval, tokens_interval       the intervals that they were reckoned with
--         line                                     when the next caller that must wait is told to come back
--         hour, hour_spent, day, day_spent         number of the period since 1970, and the money spent in it
--         said_requests, said_tokens, said_until   limits that the endpoint stated, and how long they hold
--         hold_until                               no call before that
--         trips, open_until, probe_until           the breaker: times opened in a row (0: closed)
--         calls, failures, counted_at              the breaker's counts, which decay
--         failures_in_a_row                        failed calls since the last that did not fail

local STATE, IN_FLIGHT, OVERRIDES, SLICES = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local SECOND = 1e6
local WINDOW, LATENESS, SLICE = 60 * SECOND, 0.6 * SECOND, 0.5 * SECOND
local PERIODS = { { 'hour', 3600 * SECOND }, { 'day', 86400 * SECOND } }
local KEPT_S = 2 * 86400

local asked = cjson.decode(ARGV[1])

local function hash(key)
    local flat, found = redis.call('HGETALL', key), {}
    for i = 1, #flat, 2 do found[flat[i]] = tonumber(flat[i + 1]) end
    return found
end

local state, overrides = hash(STATE), hash(OVERRIDES)

local function put(values)
    local flat = {}
    for name, value in pairs(values) do
        state[name] = value
        flat[#flat + 1] = name
        flat[#flat + 1] = string.format('%.17g', value) -- the same number again when it is read
    end
    redis.call('HSET', STATE, unpack(flat))
    redis.call('EXPIRE', STATE, KEPT_S)
end

-- The limit of that name: set while running, else configured, lowered by what the endpoint said. 0: none.
local function limit(name, said)
    local value = overrides[name] or asked.limits[name]
    if said and now < (state.said_until or 0) and (value == 0 or said < value) then return said end
    return value
end

-- What has a pace, in a fixed order.
local paces, LIMITED = {}, {}
for _, name in ipairs({ 'requests', 'tokens' }) do
    local per_minute = limit(name .. '_per_minute', state['said_' .. name])
    if per_minute > 0 then
        local interval = (WINDOW + LATENESS + SLICE) / per_minute
        local tolerance = (1 + math.floor(per_minute / 125)) * interval
        paces[name] = { limit = per_minute, interval = interval, tolerance = tolerance }
        LIMITED[#LIMITED + 1] = name
    end
end

-- The arrival time of requests or tokens at their present pace, nil where none is known. What was taken
-- before the limit was changed stays taken.
local function arrival_of(name)
    local arrival, interval = state[name], state[name .. '_interval']
    if not arrival or interval == paces[name].interval then return arrival end
    return now + (arrival - now) * paces[name].interval / interval
end

-- The number of the current hour or day, and the money spent in it.
local function spending(period, length)
    local number = math.floor(now / length)
    return number, state[period] == number and state[period .. '_spent'] or 0
end

local function slice_of(time) return math.floor(time / SLICE) end

-- When no call of that slice is in the window any more.
local function leaves(slice) return (slice + 1) * SLICE + WINDOW + LATENESS end
