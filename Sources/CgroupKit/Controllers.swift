/// The controllers that a cgroup may have, as in `cgroup.controllers` and `cgroup.subtree_control`.
public struct Controllers: OptionSet, Hashable, Codable, Sendable, CustomStringConvertible {
    /// A bit per controller.
    public let rawValue: UInt16

    /// The controllers of these bits.
    public init(rawValue: UInt16) { self.rawValue = rawValue }

    /// CPUs and memory nodes to run on.
    public static let cpuset = Controllers(rawValue: 1 << 0)
    /// CPU time: weight and quota.
    public static let cpu = Controllers(rawValue: 1 << 1)
    /// Block device bandwidth.
    public static let io = Controllers(rawValue: 1 << 2)
    /// Memory and swap.
    public static let memory = Controllers(rawValue: 1 << 3)
    /// Huge pages.
    public static let hugetlb = Controllers(rawValue: 1 << 4)
    /// Processes and threads.
    public static let pids = Controllers(rawValue: 1 << 5)
    /// RDMA resources.
    public static let rdma = Controllers(rawValue: 1 << 6)
    /// Countable resources of a host, such as encryption keys.
    public static let misc = Controllers(rawValue: 1 << 7)
    /// Device memory.
    public static let dmem = Controllers(rawValue: 1 << 8)

    private static let names: [(controller: Controllers, name: StaticString)] = [
        (.cpuset, "cpuset"), (.cpu, "cpu"), (.io, "io"), (.memory, "memory"), (.hugetlb, "hugetlb"),
        (.pids, "pids"), (.rdma, "rdma"), (.misc, "misc"), (.dmem, "dmem"),
    ]

    /// The controller of that name; `nil` if this library does not know it.
    public init?(name: String) {
        guard let known = Self.names.first(where: { "\($0.name)" == name }) else { return nil }
        self = known.controller
    }

    /// Reads a list of names parted by spaces. Names that are not known are passed over.
    public static func parse(_ bytes: Span<UInt8>) -> Controllers {
        var controllers: Controllers = []
        var words = KernelText.Words(of: 0..<bytes.count)
        while let word = words.next(in: bytes) {
            for known in names where KernelText.equals(bytes, word, known.name) {
                controllers.insert(known.controller)
            }
        }
        return controllers
    }

    /// The names, parted by spaces, in the kernel's order.
    public var description: String {
        Self.names.filter { contains($0.controller) }.map { "\($0.name)" }.joined(separator: " ")
    }

    /// What `cgroup.subtree_control` takes: each name behind `sign`.
    func command(_ sign: Character) -> String {
        Self.names.filter { contains($0.controller) }.map { "\(sign)\($0.name)" }.joined(separator: " ")
    }
}
