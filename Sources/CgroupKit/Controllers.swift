/// The controllers that a cgroup may have, as in `cgroup.controllers` and `cgroup.subtree_control`.
public struct Controllers: OptionSet, Hashable, Sendable, CustomStringConvertible {
    public let rawValue: UInt16

    public init(rawValue: UInt16) { self.rawValue = rawValue }

    public static let cpuset = Controllers(rawValue: 1 << 0)
    public static let cpu = Controllers(rawValue: 1 << 1)
    public static let io = Controllers(rawValue: 1 << 2)
    public static let memory = Controllers(rawValue: 1 << 3)
    public static let hugetlb = Controllers(rawValue: 1 << 4)
    public static let pids = Controllers(rawValue: 1 << 5)
    public static let rdma = Controllers(rawValue: 1 << 6)
    public static let misc = Controllers(rawValue: 1 << 7)
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
