internal import CLinux
internal import Glibc

/// The clock of the log's lines.
package enum WallClock {
    /// Now, in microseconds since 1970.
    package static func now() -> Int64 {
        var time = timespec()
        _ = clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
    }

    /// `2025-01-31T12:30:59.123456Z` in microseconds since 1970; nil for any other form.
    package static func microseconds(_ text: String) -> Int64? {
        let shape = "dddd-dd-ddTdd:dd:dd.ddddddZ"
        guard text.utf8.count == shape.utf8.count,
            zip(text, shape).allSatisfy({ $1 == "d" ? $0.isASCII && $0.isNumber : $0 == $1 })
        else { return nil }
        let numbers = text.split(whereSeparator: { !$0.isNumber }).compactMap { Int64($0) }
        guard numbers.count == 7 else { return nil }
        var parts = tm()
        parts.tm_year = Int32(numbers[0]) - 1900
        parts.tm_mon = Int32(numbers[1]) - 1
        parts.tm_mday = Int32(numbers[2])
        parts.tm_hour = Int32(numbers[3])
        parts.tm_min = Int32(numbers[4])
        parts.tm_sec = Int32(numbers[5])
        return Int64(timegm(&parts)) * 1_000_000 + numbers[6]
    }
}
