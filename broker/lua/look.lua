-- The state as it is: {now, state, limits set while running, calls in flight}.

return {
    string.format('%.0f', now),
    redis.call('HGETALL', STATE),
    redis.call('HGETALL', OVERRIDES),
    redis.call('ZCOUNT', IN_FLIGHT, '(' .. string.format('%.0f', now), '+inf'),
}
