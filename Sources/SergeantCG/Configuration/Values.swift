internal import Glibc
package import Supervision

/// What an option's value must look like, for the one who wrote another.
package struct ValueFault: Error, Hashable, Sendable, CustomStringConvertible {
    package var description: String

    package init(description: String) {
        self.description = description
    }
}

/// An amount of memory, as a number of bytes.
package struct Size: Sendable {
    package var bytes: UInt64

    /// - Parameter least: the least that makes a limit; 0 switches it off.
    package static func spelling(least: UInt64 = 0) -> Spelling {
        var pattern = "\(Quantity.bytesPattern)|\(Quantity.percentPattern)"
        if least > 1 << 10 {
            // A part of a larger unit, such as 0.0001G, is for the reader alone to see.
            let small = [
                NumberPattern.whole(1...(least - 1)),
                "\(NumberPattern.whole(1...(least / 1024 - 1)))(?:\\.[0-9]*)?[Kk](?:iB)?",
            ]
            pattern = "(?!(?:\(small.joined(separator: "|")))$)(?:\(pattern))"
        }
        return .pattern(pattern, numbers: .whole(0 ... .max, least: least))
    }

    package static func parse(_ text: String) throws(ValueFault) -> Size {
        switch Quantity.size(text) {
        case .bytes(let bytes): return Size(bytes: bytes)
        case .percent(let percent): return Size(bytes: UInt64(Double(Capacity.memory()) * percent / 100))
        case nil:
            throw ValueFault(description: "a size is a number of bytes, or one with K, M, G or T, or with %")
        }
    }

    /// 0 switches a limit off, as upstream does.
    package var limit: UInt64? { bytes == 0 ? nil : bytes }
}

/// A whole number that is a limit.
package struct Count: Sendable {
    package var number: UInt64

    package static func spelling(upTo most: UInt64) -> Spelling {
        .pattern(NumberPattern.whole(upTo: most), numbers: .whole(0...most))
    }

    package static func parse(_ text: String) throws(ValueFault) -> Count {
        guard let number = Quantity.count(text) else {
            throw ValueFault(description: "it takes a whole number")
        }
        return Count(number: number)
    }

    /// 0 switches a limit off.
    package var limit: UInt64? { number == 0 ? nil : number }
}

/// How many workers.
package enum WorkerCount {
    /// More than a machine has room for.
    package static let most: UInt64 = 1_000_000

    package static let spelling = Spelling.pattern(
        "auto|\(NumberPattern.whole(1...most))", numbers: .whole(1...most))

    package static func parse(_ text: String) throws(ValueFault) -> Int {
        if text == "auto" { return Capacity.processors() }
        guard let count = Quantity.count(text), count <= most else {
            throw ValueFault(description: "it takes a whole number up to \(most), or auto")
        }
        return Int(count)
    }
}

/// A number of CPUs, as CPU time in every ``Limits/cpuPeriod``.
package enum CPUs {
    /// Less than a hundredth is refused but for 0, and a time in microseconds rounds.
    package static let spelling = Spelling.pattern(
        "(?!0+\\.00(?!999[5-9])0*[1-9])(?:\(NumberPattern.decimal(upTo: 100_000)))",
        numbers: .decimal(upTo: 100_000, least: "0.009995"))

    /// - Returns: microseconds; nil for 0, which switches a limit off.
    package static func parse(_ text: String) throws(ValueFault) -> UInt64? {
        guard let count = Quantity.number(text), count <= 100_000 else {
            var meant = ""
            for (unit, each) in [("%", 100.0), ("m", 1000)] where text.hasSuffix(unit) {
                if let number = Quantity.number(text.dropLast()) {
                    meant = ": \(text) of one is \(number / each)"
                }
            }
            throw ValueFault(description: "it takes a number of CPUs, as in 1.5\(meant)")
        }
        guard count > 0 else { return nil }
        return max(1, UInt64((count * Double(Limits.cpuPeriod)).rounded()))
    }
}

/// A share among others.
package enum Weight {
    /// What the kernel takes.
    package static let range: ClosedRange<UInt64> = 1...10000
    /// What a cgroup has where nothing is said.
    package static let standard: UInt64 = 100

    package static let spelling = Spelling.pattern(NumberPattern.whole(range), numbers: .whole(range))

    package static func parse(_ text: String) throws(ValueFault) -> UInt64 {
        guard let weight = Quantity.count(text), range.contains(weight) else {
            throw ValueFault(
                description: "it takes a weight from 1 to 10000; where none is given it is \(standard)")
        }
        return weight
    }
}

/// A length of time.
package enum Time {
    package static let spelling = Spelling.pattern(
        Quantity.durationPattern, numbers: .decimalBelow(Quantity.longestDuration))

    package static func parse(_ text: String) throws(ValueFault) -> Duration {
        guard let duration = Quantity.duration(text) else {
            throw ValueFault(description: "a time is a number of seconds, or one with ms, s, min or h")
        }
        return duration
    }
}

/// `N/SECONDS`; 0 never gives up.
package enum FailureLimit {
    package static let spelling = Spelling.pattern(
        "\(NumberPattern.zero)|\(NumberPattern.whole(upTo: 999_999))/(?=[0-9.]*[1-9])(?:\(Quantity.durationPattern))",
        numbers: .whole(0...0))

    package static func parse(_ text: String) throws(ValueFault) -> GroupPolicy.Intensity? {
        if Quantity.count(text) == 0 { return nil }
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map { String($0) }
        guard parts.count == 2, let count = Quantity.count(parts[0]), count < 1_000_000,
            let window = Quantity.duration(parts[1]), window > .zero
        else { throw ValueFault(description: "it takes a count and a time, as in 5/60") }
        return GroupPolicy.Intensity(maximumFailures: Int(count), window: window)
    }
}

/// A signal by name or number.
package enum SignalName {
    private static let names: [String: Int32] = [
        "HUP": SIGHUP, "INT": SIGINT, "QUIT": SIGQUIT, "ABRT": SIGABRT, "USR1": SIGUSR1, "USR2": SIGUSR2,
        "ALRM": SIGALRM, "TERM": SIGTERM, "CONT": SIGCONT, "WINCH": SIGWINCH, "KILL": SIGKILL,
    ]

    package static let spelling = Spelling.pattern(
        "(?:\(Spelling.anyCase("SIG")))?(?:\(names.keys.sorted().map(Spelling.anyCase).joined(separator: "|")))"
            + "|\(NumberPattern.whole(1...64))",
        numbers: .whole(1...64))

    package static func parse(_ text: String) throws(ValueFault) -> Int32 {
        let upper = text.uppercased()
        let name = upper.hasPrefix("SIG") ? String(upper.dropFirst(3)) : upper
        if let number = names[name] { return number }
        if let number = Quantity.count(text), (1...64).contains(number) { return Int32(number) }
        throw ValueFault(description: "it takes a signal such as TERM, INT or 15")
    }
}

/// How the program's log is written.
package enum LogFormat: String, CaseIterable, Sendable {
    case auto, text, json, journal

    /// What that is on this descriptor.
    package func lines(on descriptor: Int32) -> LogLines.Format {
        switch self {
        case .auto: isatty(descriptor) == 1 ? .colouredText : .text
        case .text, .journal: .text
        case .json: .json
        }
    }
}

/// The least that is logged.
package enum LogLevel: String, CaseIterable, Sendable {
    case debug, info, warning, error, critical

    package var record: Record.Level {
        switch self {
        case .debug: .debug
        case .info: .info
        case .warning: .warning
        case .error: .error
        case .critical: .critical
        }
    }
}

/// What a value looks like on the command line and in a file, and how it is read.
package struct ValueForm<Value>: Sendable {
    package let shape: Setting.Shape
    /// What stands for it in a help text.
    package let placeholder: String
    /// How a value may be written; of several, each. Made when it is asked for, which is seldom.
    package let spelling: @Sendable () -> Spelling
    package let parse: @Sendable (SettingValue) throws(ValueFault) -> Value

    package init(
        shape: Setting.Shape, placeholder: String,
        spelling: @autoclosure @escaping @Sendable () -> Spelling,
        parse: @escaping @Sendable (SettingValue) throws(ValueFault) -> Value
    ) {
        self.shape = shape
        self.placeholder = placeholder
        self.spelling = spelling
        self.parse = parse
    }

    /// One word.
    package init(
        _ placeholder: String, _ spelling: @autoclosure @escaping @Sendable () -> Spelling,
        parse: @escaping @Sendable (String) throws(ValueFault) -> Value
    ) {
        self.init(shape: .text, placeholder: placeholder, spelling: spelling()) {
            (value) throws(ValueFault) in
            guard case .text(let text) = value else { throw ValueFault(description: "it takes one value") }
            return try parse(text)
        }
    }
}

extension ValueForm where Value == Size {
    /// - Parameter least: the least that makes a limit, by ``Configuration/firstFault(_:)``.
    package static func size(least: UInt64 = 0) -> Self {
        Self("size", Size.spelling(least: least)) { (text) throws(ValueFault) in try Size.parse(text) }
    }
}

extension ValueForm where Value == Count {
    /// - Parameter most: the most that is taken, by ``Configuration/firstFault(_:)``.
    package static func count(upTo most: UInt64 = .max) -> Self {
        Self("count", Count.spelling(upTo: most)) { (text) throws(ValueFault) in try Count.parse(text) }
    }
}

extension ValueForm where Value == UInt64? {
    package static var cpus: Self {
        Self("CPUs", CPUs.spelling) { (text) throws(ValueFault) in try CPUs.parse(text) }
    }
}

extension ValueForm where Value == UInt64 {
    package static var weight: Self {
        Self("weight", Weight.spelling) { (text) throws(ValueFault) in try Weight.parse(text) }
    }
}

extension ValueForm where Value == WorkerUser {
    /// Looked up at once.
    package static var workerUser: Self {
        Self("user[:group]", WorkerUser.spelling) { (text) throws(ValueFault) in try WorkerUser.find(text) }
    }
}

extension ValueForm where Value == [ResourceLimit] {
    /// The last of those of one name holds.
    package static var resourceLimits: Self {
        Self(shape: .variables, placeholder: "name=soft[:hard]", spelling: ResourceLimit.spelling) {
            (value) throws(ValueFault) in
            guard case .words(let words) = value else {
                throw ValueFault(description: "it takes \(ResourceLimit.form)")
            }
            var limits: [ResourceLimit] = []
            for word in words {
                let limit = try ResourceLimit(parsing: word)
                limits.removeAll { $0.resource == limit.resource }
                limits.append(limit)
            }
            return limits.sorted { $0.resource.number < $1.resource.number }
        }
    }
}

extension ValueForm where Value == [IOLimit] {
    package static var deviceLimits: Self {
        Self(shape: .texts, placeholder: "limits", spelling: IOLimit.spelling) { (value) throws(ValueFault) in
            guard case .words(let texts) = value else {
                throw ValueFault(description: "it takes \(IOLimit.form)")
            }
            var limits: [IOLimit] = []
            for text in texts { limits.append(try IOLimit(parsing: text, find: BlockDevice.find)) }
            return try IOLimit.merge(limits)
        }
    }
}

extension ValueForm where Value == Int {
    package static var workers: Self {
        Self("N|auto", WorkerCount.spelling) { (text) throws(ValueFault) in try WorkerCount.parse(text) }
    }
}

extension ValueForm where Value == Duration {
    package static var time: Self {
        Self("time", Time.spelling) { (text) throws(ValueFault) in try Time.parse(text) }
    }
}

extension ValueForm where Value == GroupPolicy.Intensity? {
    package static var failureLimit: Self {
        Self("N/seconds", FailureLimit.spelling) { (text) throws(ValueFault) in try FailureLimit.parse(text) }
    }
}

extension ValueForm where Value == PressureLimit? {
    package static var pressure: Self {
        Self("stall/window", PressureLimit.spelling) { (text) throws(ValueFault) in
            if Quantity.count(text) == 0 { return nil }
            guard let limit = PressureLimit(text) else {
                throw ValueFault(
                    description:
                        "it takes a time within a window of 0.5 to 10 seconds, as in 1/2 (0 switches it off)")
            }
            return limit
        }
    }
}

extension ValueForm where Value == Int32 {
    package static var signal: Self {
        Self("signal", SignalName.spelling) { (text) throws(ValueFault) in try SignalName.parse(text) }
    }
}

extension ValueForm where Value == String {
    /// Any text.
    ///
    /// - Parameter spelling: what of it is taken, by ``Configuration/firstFault(_:)``.
    package static func text(
        _ placeholder: String, _ spelling: @autoclosure @escaping @Sendable () -> Spelling = .text()
    )
        -> Self
    {
        Self(placeholder, spelling()) { (text) throws(ValueFault) in text }
    }
}

extension ValueForm where Value == Bool {
    /// A flag without a value; `true` or `false` in a file.
    package static var flag: Self {
        Self(shape: .flag, placeholder: "true|false", spelling: .flag) { (value) throws(ValueFault) in
            switch value {
            case .flag(let flag): return flag
            case .text("true"): return true
            case .text("false"): return false
            default: throw ValueFault(description: "it takes true or false")
            }
        }
    }
}

extension ValueForm where Value == [String] {
    /// A list of words.
    package static func words(_ placeholder: String) -> Self {
        Self(shape: .words, placeholder: placeholder, spelling: .text()) { (value) throws(ValueFault) in
            guard case .words(let words) = value else {
                throw ValueFault(description: "it takes a list, as in [./serve, --port, \"8080\"]")
            }
            return words
        }
    }
}

extension ValueForm where Value == UInt32 {
    package static var fileModeMask: Self {
        Self("octal", .pattern("0*[0-7]{1,3}", numbers: .whole(0...777))) { (text) throws(ValueFault) in
            guard text.utf8.allSatisfy({ (0x30...0x37).contains($0) }), let mask = UInt32(text, radix: 8),
                mask <= 0o777
            else { throw ValueFault(description: "it takes octal digits up to 777, as in 027") }
            return mask
        }
    }
}

extension ValueForm where Value == [String: String] {
    /// Each as `NAME=VALUE`.
    package static var variables: Self {
        Self(shape: .variables, placeholder: "NAME=VALUE", spelling: WorkerEnvironment.spelling) {
            (value) throws(ValueFault) in
            guard case .words(let words) = value else { throw ValueFault(description: "it takes NAME=VALUE") }
            var variables: [String: String] = [:]
            for word in words {
                // By its bytes: a combining mark behind it is the value's.
                guard let equals = word.utf8.firstIndex(of: UInt8(ascii: "=")), equals != word.startIndex,
                    !word.utf8.contains(0)
                else { throw ValueFault(description: "it takes NAME=VALUE") }
                variables[String(word[..<equals])] = String(word[word.utf8.index(after: equals)...])
            }
            return variables
        }
    }

    /// Read at once; the later file stands above the earlier.
    package static var environmentFiles: Self {
        Self(shape: .texts, placeholder: "file", spelling: .text()) { (value) throws(ValueFault) in
            guard case .words(let paths) = value else { throw ValueFault(description: "it takes a file") }
            var variables: [String: String] = [:]
            for path in paths {
                do throws(ConfigurationFault) {
                    let found = try EnvironmentFile.variables(of: try BoundedFile.read(path), named: path)
                    variables.merge(found) { _, new in new }
                } catch {
                    throw ValueFault(description: error.description)
                }
            }
            return variables
        }
    }
}

extension ValueForm where Value == Configuration.Control {
    package static var controlPlace: Self {
        Self("path|none", .pattern(#"[\s\S]*[^/]"#, numbers: .any)) { (text) throws(ValueFault) in
            if text == "none" { return .none }
            guard !text.isEmpty, !text.hasSuffix("/") else {
                throw ValueFault(description: "it takes the path of a socket, or none")
            }
            return .path(text)
        }
    }
}

extension ValueForm where Value == [ListenAddress] {
    package static var listenAddresses: Self {
        Self(shape: .texts, placeholder: "address", spelling: ListenAddress.spelling) {
            (value) throws(ValueFault) in
            guard case .words(let texts) = value else {
                throw ValueFault(description: "it takes \(ListenAddress.form)")
            }
            var addresses: [ListenAddress] = []
            for text in texts {
                do throws(ListenFault) { addresses.append(try ListenAddress(parsing: text)) } catch {
                    throw ValueFault(description: error.description)
                }
            }
            return addresses
        }
    }
}

extension ValueForm where Value == WorkerOutput {
    package static var output: Self {
        Self("inherit|prefix|journal|file", WorkerOutput.spelling) { (text) throws(ValueFault) in
            guard let output = WorkerOutput(text) else {
                throw ValueFault(description: "it takes \(WorkerOutput.form)")
            }
            return output
        }
    }
}

extension ValueForm where Value: CaseIterable & RawRepresentable<String> & Sendable {
    /// One of a few words.
    package static var oneOfThese: Self {
        let words = Value.allCases.map(\.rawValue)
        return Self(words.joined(separator: "|"), .words(words)) { (text) throws(ValueFault) in
            if let value = Value(rawValue: text) { return value }
            let meant = Misspelling.meant(by: text, of: words).map { ". Did you mean '\($0)'?" } ?? ""
            throw ValueFault(description: "it takes one of \(words.joined(separator: ", "))\(meant)")
        }
    }
}
