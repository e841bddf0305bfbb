-- A line that is UTF-8 passes as it is. Another one would lose bytes on its way into JSON: it travels in base64, under the
-- name that log-shipper gives it.

local byte, sub, concat = string.byte, string.sub, table.concat

-- Where a sequence that begins with `lead` may go on: its length, and the bounds of its second byte.
local function sequence(lead)
    if lead < 0xC2 or lead > 0xF4 then
        return nil
    elseif lead < 0xE0 then
        return 2, 0x80, 0xBF
    elseif lead == 0xE0 then
        return 3, 0xA0, 0xBF
    elseif lead == 0xED then
        return 3, 0x80, 0x9F
    elseif lead < 0xF0 then
        return 3, 0x80, 0xBF
    elseif lead == 0xF0 then
        return 4, 0x90, 0xBF
    elseif lead < 0xF4 then
        return 4, 0x80, 0xBF
    end
    return 4, 0x80, 0x8F
end

function is_utf8(text)
    local position = text:find("[\128-\255]")
    while position do
        local length, low, high = sequence(byte(text, position))
        if not length then
            return false
        end
        for index = position + 1, position + length - 1 do
            local following = byte(text, index)
            if not following or following < low or following > high then
                return false
            end
            low, high = 0x80, 0xBF
        end
        position = text:find("[\128-\255]", position + length)
    end
    return true
end

local ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

local function letter(number)
    return sub(ALPHABET, number + 1, number + 1)
end

function base64(bytes)
    local out = {}
    for position = 1, #bytes, 3 do
        local first, second, third = byte(bytes, position, position + 2)
        local group = first * 65536 + (second or 0) * 256 + (third or 0)
        out[#out + 1] = letter(math.floor(group / 262144))
            .. letter(math.floor(group / 4096) % 64)
            .. (second and letter(math.floor(group / 64) % 64) or "=")
            .. (third and letter(group % 64) or "=")
    end
    return concat(out)
end

-- 0 keeps the record; 2 replaces it and keeps its time.
function encode(tag, timestamp, record)
    local line = record["log"]
    if type(line) ~= "string" or is_utf8(line) then
        return 0, timestamp, record
    end
    record["log"] = nil
    record["log_base64"] = base64(line)
    return 2, timestamp, record
end
