/**
 * What Redis does in one go. Nothing that lies there is trusted: `pcall`, because a key may have become a list by
 * somebody's hand, and what is no number is none.
 */
import { type CommandParser, defineScript } from 'redis';

const MARK = `
local function number(key)
  local found = redis.pcall('get', key)
  return type(found) == 'string' and #found <= 16 and string.match(found, '^%d+$') and tonumber(found) or nil
end
-- What came here by no script of ours has no end: it gets one.
local function bounded(key, ms)
  if redis.call('pttl', key) < 0 then redis.call('pexpire', key, ms) end
end`;

/** KEYS epoch, mark, value; ARGV the ticket's epoch, its end, the version, the value, ms that a mark is remembered. 1 = kept. */
const SET = `${MARK}
local function text(key)
  local found = redis.pcall('get', key)
  return type(found) == 'string' and found or ''
end
local time = redis.call('time')
if text(KEYS[1]) ~= ARGV[1] or tonumber(ARGV[2]) <= time[1] * 1000 + time[2] / 1000 then return 0 end
local version = tonumber(ARGV[3])
if redis.call('exists', KEYS[2]) == 1 then
  local mark = number(KEYS[2])
  bounded(KEYS[2], ARGV[5])
  if not mark or version <= mark then return 0 end -- what an overwritten one said is not known, so it may be anything
end
local epoch, lying = string.match(text(KEYS[3]), '^([^|]*)|(%d+)|')
if epoch == ARGV[1] and version <= tonumber(lying) then return 0 end
redis.call('set', KEYS[3], ARGV[1] .. '|' .. ARGV[3] .. '|' .. ARGV[4], 'PXAT', ARGV[2])
return 1`;

/** KEYS marks; ARGV the version, ms that it is remembered. */
const DROP = `${MARK}
for _, key in ipairs(KEYS) do
  -- A higher one was set by a commit of the last seconds, and ends late enough for this one too.
  if (number(key) or 0) > tonumber(ARGV[1]) then bounded(key, ARGV[2]) else redis.call('set', key, ARGV[1], 'PX', ARGV[2]) end
end
return #KEYS`;

/**
 * GCRA for several limits at once: KEYS one a limit; ARGV for each the ms between two requests, and the ms that a burst
 * may run ahead. All of them are counted, or none is. Answers for each what gcra.ts does: whether it may, ms it is ahead.
 */
const TAKE = `
local time = redis.call('time')
local now = time[1] * 1000 + time[2] / 1000
local ahead, allowed = {}, true
for n, key in ipairs(KEYS) do
  local full = redis.pcall('get', key)
  full = type(full) == 'string' and tonumber(full) or now
  local window = tonumber(ARGV[2 * n])
  if not (full > now) then
    full = now
  elseif full - now > window then -- further ahead than a burst can be: not ours, or the clock was set back
    full = now + window
    redis.call('set', key, string.format('%.3f', full), 'PX', window)
  end
  ahead[n] = full - now
  if ahead[n] + tonumber(ARGV[2 * n - 1]) > window then allowed = false end
end
local answer = {}
for n, key in ipairs(KEYS) do
  local step, window = tonumber(ARGV[2 * n - 1]), tonumber(ARGV[2 * n])
  local may = ahead[n] + step <= window
  if allowed then
    ahead[n] = ahead[n] + step
    redis.call('set', key, string.format('%.3f', now + ahead[n]), 'PX', math.ceil(ahead[n]))
  end
  answer[2 * n - 1] = may and 1 or 0
  answer[2 * n] = string.format('%.3f', ahead[n])
end
return answer`;

const keyed =
  (keys: (parser: CommandParser, keys: readonly string[]) => void) =>
  (parser: CommandParser, names: readonly string[], values: readonly string[]): void => {
    keys(parser, names);
    parser.push(...values);
  };

export const SCRIPTS = {
  keepAbove: defineScript({
    SCRIPT: SET,
    NUMBER_OF_KEYS: 3,
    parseCommand: keyed((parser, names) => parser.pushKeys([...names])),
    transformReply: (reply: unknown) => reply === 1,
  }),
  dropAll: defineScript({
    SCRIPT: DROP,
    parseCommand: keyed((parser, names) => parser.pushKeysLength([...names])),
    transformReply: Number,
  }),
  take: defineScript({
    SCRIPT: TAKE,
    parseCommand: keyed((parser, names) => parser.pushKeysLength([...names])),
    transformReply: (reply: unknown) => (Array.isArray(reply) ? reply.map(Number) : []),
  }),
};
