-- What wrk sends and says for tools/bench-rpc.sh: each request for another user, and one line of figures at the end.
-- From the environment: BENCH_METHOD, BENCH_SCHEMA, BENCH_PATH, BENCH_TOKEN, BENCH_USERS.

local method, path = os.getenv("BENCH_METHOD"), os.getenv("BENCH_PATH")
local users = tonumber(os.getenv("BENCH_USERS"))

function init()
    math.randomseed(os.time())
    wrk.headers["Authorization"] = "Bearer " .. os.getenv("BENCH_TOKEN")
    wrk.headers[method == "GET" and "Accept-Profile" or "Content-Profile"] = os.getenv("BENCH_SCHEMA")
    if method == "POST" then wrk.headers["Content-Type"] = "application/json" end
end

function request()
    local user = "user-" .. math.random(users)
    if method == "GET" then return wrk.format(method, path .. user) end
    return wrk.format(method, path, nil, '{"p_user_id":"' .. user .. '"}')
end

-- Calls a second, the latency that a half and 99 of 100 stay below in microseconds, calls, and those that failed.
function done(summary, latency)
    local errors = summary.errors
    local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
    print(string.format("figures %.1f %d %d %d %d", summary.requests / summary.duration * 1e6,
        latency:percentile(50), latency:percentile(99), summary.requests, failed))
end
