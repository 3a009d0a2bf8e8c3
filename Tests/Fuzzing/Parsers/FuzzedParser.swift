/// A parser of bytes that come from outside, and what must be true whatever they are: it returns, in time, without a
/// trap, and what it says holds together.
public struct FuzzedParser: Sendable {
    /// The name of its corpus.
    public let name: String
    /// The longest input that is worth trying.
    public let longest: Int
    /// Parses, and ends the process where something is wrong.
    public let run: @Sendable ([UInt8]) -> Void

    init(_ name: String, longest: Int = 4096, _ run: @escaping @Sendable ([UInt8]) -> Void) {
        self.name = name
        self.longest = longest
        self.run = run
    }

    /// All of them, in the order of the alphabet.
    public static let all = (kernel + configuration + workers + sockets + state).sorted { $0.name < $1.name }
}

/// What must be true. It is no assertion of a test: the fuzzer sees a crash.
func must(_ condition: Bool, _ sentence: @autoclosure () -> String) {
    guard condition else { fatalError(sentence()) }
}

/// The input as text; a lone byte of it is replaced, for what takes a `String` takes nothing else.
func text(_ bytes: some Sequence<UInt8>) -> String {
    String(decoding: Array(bytes), as: UTF8.self)
}

/// Cuts the rest of an input into pieces, as long as its first bytes say.
func pieces(_ bytes: [UInt8]) -> [ArraySlice<UInt8>] {
    let sizes = bytes.prefix(8)
    var rest = bytes.dropFirst(8)
    var result: [ArraySlice<UInt8>] = []
    for size in sizes where !rest.isEmpty {
        result.append(rest.prefix(Int(size)))
        rest = rest.dropFirst(Int(size))
    }
    if !rest.isEmpty { result.append(rest) }
    return result
}
