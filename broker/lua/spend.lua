-- Money that was spent without a permit: that of a batch. Asked: money, limits.

local taken = {}
for _, each in ipairs(PERIODS) do
    local period, length = unpack(each)
    local number, spent = spending(period, length)
    taken[period], taken[period .. '_spent'] = number, spent + asked.money
end
put(taken)
