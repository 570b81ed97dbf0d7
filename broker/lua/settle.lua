-- The end of a call: give back what it did not take, and tell the breaker how it went.
-- Asked: permit, tokens and money (used less reserved), outcome, pause, said_requests, said_tokens, limits.

local SAID_FOR, LONGEST_HOLD = 60 * SECOND, 600 * SECOND
local MEMORY, FEWEST_FAILURES, FAILING_SHARE = 10 * SECOND, 5, 0.5
local MOST_IN_A_ROW = 20 -- at full speed the share takes seconds to fall
local FIRST_OPEN, LONGEST_OPEN = SECOND, 60 * SECOND

local pause = math.min(asked.pause, LONGEST_HOLD)

-- Tokens: from the slice that they were counted in. Money: only in the period that it was reserved in.
local reserved, start = string.match(asked.permit, '^(%d+):(%d+)')
reserved, start = tonumber(reserved), tonumber(start)
if redis.call('ZREM', IN_FLIGHT, asked.permit) == 1 then
    local taken = {}
    if paces.tokens and state.tokens and asked.tokens ~= 0 then
        taken.tokens = math.ceil(arrival_of('tokens') + asked.tokens * paces.tokens.interval)
        taken.tokens_interval = paces.tokens.interval
    end
    if redis.call('HEXISTS', SLICES, slice_of(start)) == 1 then
        redis.call('HINCRBY', SLICES, slice_of(start), asked.tokens)
    end
    for _, each in ipairs(PERIODS) do
        local period, length = unpack(each)
        local number, spent = spending(period, length)
        if number == math.floor(reserved / length) then
            taken[period .. '_spent'] = math.max(0, spent + asked.money)
        end
    end
    if next(taken) then put(taken) end
end

if asked.said_requests > 0 or asked.said_tokens > 0 then
    put({ said_until = now + SAID_FOR })
    if asked.said_requests > 0 then put({ said_requests = asked.said_requests }) end
    if asked.said_tokens > 0 then put({ said_tokens = asked.said_tokens }) end
end

-- The breaker.
local trips = state.trips or 0
local is_probe = trips > 0 and reserved >= state.open_until

local function open()
    local rest = math.min(FIRST_OPEN * 2 ^ math.min(trips, 20), LONGEST_OPEN)
    put({ trips = trips + 1, open_until = now + math.max(rest, pause), probe_until = 0 })
    put({ calls = 0, failures = 0, failures_in_a_row = 0 })
end

if asked.outcome == 'unused' then
    if is_probe then put({ probe_until = 0 }) end
elseif trips > 0 and not is_probe then
    -- A call from before the breaker opened says nothing new, but for a later time to come back at.
    if asked.outcome == 'later' then put({ open_until = math.max(state.open_until, now + pause) }) end
elseif asked.outcome == 'later' or (is_probe and asked.outcome == 'failed') then
    open()
elseif is_probe then
    put({ trips = 0, probe_until = 0, calls = 0, failures = 0, failures_in_a_row = 0 })
else
    local kept = math.exp(math.min(0, ((state.counted_at or now) - now) / MEMORY))
    local calls = (state.calls or 0) * kept + 1
    local failed = asked.outcome == 'failed' and 1 or 0
    local failures = (state.failures or 0) * kept + failed
    local in_a_row = failed * ((state.failures_in_a_row or 0) + 1)
    local most_fail = failures >= FEWEST_FAILURES and failures >= FAILING_SHARE * calls
    put({ counted_at = now })
    if most_fail or in_a_row >= MOST_IN_A_ROW then
        open()
    else
        put({ calls = calls, failures = failures, failures_in_a_row = in_a_row })
    end
end
if asked.outcome == 'answered' and pause > 0 then
    put({ hold_until = math.max(state.hold_until or 0, now + pause) }) -- a reply never ends another's pause
end
