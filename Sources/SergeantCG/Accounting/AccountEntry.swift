internal import FoundationEssentials

/// One incarnation, as a line of an account has it.
package struct AccountEntry: Hashable, Sendable, Decodable {
    package var group: String
    package var reason: String
    package var cpuUserMicroseconds: UInt64?
    package var cpuSystemMicroseconds: UInt64?
    /// In bytes, as are the limits.
    package var memoryPeak: UInt64?
    package var memoryLimit: UInt64?
    package var memoryMax: UInt64?

    private enum CodingKeys: String, CodingKey {
        case group, reason
        case cpuUserMicroseconds = "cpu_user_usec"
        case cpuSystemMicroseconds = "cpu_system_usec"
        case memoryPeak = "memory_peak"
        case memoryLimit = "memory_limit"
        case memoryMax = "memory_max"
    }

    /// How deep a line may be nested.
    private static let deepest = 4

    /// Nil where the bytes are no such line, as of one that a crash tore.
    package init?(_ line: [UInt8]) {
        guard JSONOutline(line, deepest: Self.deepest) != nil,
            let entry = try? JSONDecoder().decode(AccountEntry.self, from: Data(line))
        else { return nil }
        self = entry
    }
}
