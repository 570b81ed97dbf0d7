-- All or nothing: a permit for one call, or when to come back and why.
-- Asked: id, tokens, money, max_wait, lease, limits. Returns {permit or '', wait, reason or ''}.

local PROBE_POLL, MONEY_POLL, IN_FLIGHT_POLL = SECOND, SECOND, 0.25 * SECOND
local LONGEST_LINE = WINDOW

local function refuse(reason, wait) return { '', math.ceil(wait), reason } end

-- The breaker: while it is open nobody goes; after that one at a time, as a probe.
local probing = (state.trips or 0) > 0
if probing then
    if now < state.open_until then return refuse('breaker', state.open_until - now) end
    local probe_until = state.probe_until or 0
    if now < probe_until then return refuse('breaker', math.min(probe_until - now, PROBE_POLL)) end
end
if now < (state.hold_until or 0) then return refuse('hold', state.hold_until - now) end

-- Calls in flight: permits whose holders died have lapsed.
redis.call('ZREMRANGEBYSCORE', IN_FLIGHT, '-inf', now)
local in_flight = redis.call('ZCARD', IN_FLIGHT)

-- Money: a budget for each period, which no pace divides. Calls in flight give back what they did not use.
local taken = {}
for _, each in ipairs(PERIODS) do
    local period, length = unpack(each)
    local name = 'money_per_' .. period
    local number, spent = spending(period, length)
    local budget = limit(name)
    if budget > 0 and spent + asked.money > budget then
        if in_flight > 0 then return refuse('money_reserved', MONEY_POLL) end
        return refuse(name, (number + 1) * length - now)
    end
    taken[period], taken[period .. '_spent'] = number, spent + asked.money
end

local most = limit('in_flight')
if most > 0 and in_flight >= most then return refuse('in_flight', IN_FLIGHT_POLL) end

-- Requests and tokens: the earliest start that both allow. Where the state is missing (new, lost), the bucket
-- is taken for full: losing it gives no burst. What a clock set back would add to a wait is cut off.
local units = { requests = 1, tokens = asked.tokens }
local charges, arrivals = {}, {}
local start, slowest, longest = now, '', 0
for _, name in ipairs(LIMITED) do
    local its = paces[name]
    local charge = math.ceil(units[name] * its.interval)
    local arrival = arrival_of(name) or now + its.tolerance - charge
    arrival = math.min(arrival, now + its.tolerance + WINDOW + asked.max_wait)
    local earliest = arrival + charge - its.tolerance
    if state[name .. '_interval'] ~= its.interval then state.line = nil end -- it went by another pace
    if earliest > start then start, slowest = earliest, name end
    charges[name], arrivals[name], longest = charge, arrival, math.max(longest, charge)
end

-- Tokens: what counts in the window must leave room. Later slices count too: their windows take this call in.
if paces.tokens then
    local slices, in_window = {}, 0
    for slice, tokens in pairs(hash(SLICES)) do
        if leaves(slice) <= now then
            redis.call('HDEL', SLICES, slice)
        else
            slices[tonumber(slice)], in_window = tokens, in_window + tokens
        end
    end
    local slice = slice_of(now - WINDOW - LATENESS) - 1
    while in_window + asked.tokens > paces.tokens.limit and in_window > 0 do
        in_window = in_window - (slices[slice] or 0)
        if slices[slice] and leaves(slice) > start then start, slowest = leaves(slice), 'tokens' end
        slice = slice + 1
    end
end

-- Who would wait longer than a slot should is told to come back after those who were told so before. Who would
-- not wait at all only looks, and has no place among them.
if start - now > asked.max_wait then
    if asked.max_wait == 0 then return refuse(slowest, start - now) end
    local turn = math.min(math.max(start, state.line or 0), math.max(start, now + LONGEST_LINE))
    put({ line = turn + longest })
    return refuse(slowest, turn - now)
end

for name, charge in pairs(charges) do
    local beyond = math.max(0, charge - paces[name].tolerance) -- was waited for before the start
    taken[name] = math.max(arrivals[name], start - beyond) + charge
    taken[name .. '_interval'] = paces[name].interval
end
taken.line = state.line or 0
if probing then taken.probe_until = now + asked.lease end
put(taken)
if paces.tokens then
    redis.call('HINCRBY', SLICES, slice_of(start), asked.tokens)
    redis.call('EXPIRE', SLICES, KEPT_S)
end

local permit = string.format('%.0f:%.0f:%s', now, start, asked.id)
redis.call('ZADD', IN_FLIGHT, now + asked.lease, permit)
redis.call('EXPIRE', IN_FLIGHT, KEPT_S)
return { permit, math.ceil(start - now), '' }
