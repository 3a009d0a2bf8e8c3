internal import Glibc
internal import SergeantCG
internal import Synchronization

/// The terminal of a program that takes the whole of it: keys come one by one, and all is as before at the end.
package final class Terminal {
    /// What a person pressed.
    package enum Key: Hashable {
        case up, down, pageUp, pageDown
        case letter(Character)
    }

    private static let endIsAsked = Atomic<Bool>(false)

    private let keyboard: Int32
    private let before: termios
    private let hasColours = getenv("NO_COLOR") == nil
    /// Its letters are those of Unicode.
    let hasBlocks: Bool

    /// - Throws: ``SupervisorError`` where standard output is no terminal.
    init() throws(SupervisorError) {
        var settings = termios()
        // Standard input is not the keyboard any more: see StandardDescriptors.
        keyboard = open("/dev/tty", O_RDONLY | O_CLOEXEC)
        guard isatty(STDOUT_FILENO) == 1, keyboard >= 0, tcgetattr(keyboard, &settings) == 0 else {
            throw SupervisorError(
                .usage, "top is for a terminal: sergeantcg status prints once, status --json for programs")
        }
        _ = setlocale(LC_CTYPE, "")
        hasBlocks = nl_langinfo(Int32(CODESET)).map { String(cString: $0) } == "UTF-8"
        before = settings
        cfmakeraw(&settings)
        // Waits for nothing: poll(2) does.
        settings.c_cc.6 = 0
        settings.c_cc.5 = 0
        // Where it fails, keys come with their line's end.
        _ = tcsetattr(keyboard, TCSAFLUSH, &settings)
        for number in [SIGTERM, SIGHUP, SIGINT] {
            _ = signal(number) { _ in Terminal.endIsAsked.store(true, ordering: .relaxed) }
        }
        // Only to end the wait for a key.
        _ = signal(SIGWINCH) { _ in }
        // The other screen, without a cursor, and lines that are not continued.
        put("\u{1B}[?1049h\u{1B}[?25l\u{1B}[?7l")
    }

    deinit {
        put("\u{1B}[?7h\u{1B}[?25h\u{1B}[?1049l")
        var settings = before
        _ = tcsetattr(keyboard, TCSAFLUSH, &settings)
    }

    /// Whoever may end it has asked for it.
    var isToEnd: Bool { Self.endIsAsked.load(ordering: .relaxed) }

    /// At this moment.
    var size: (columns: Int, lines: Int) {
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else {
            return (80, 24)
        }
        return (Int(size.ws_col), Int(size.ws_row))
    }

    /// In one piece, so that it does not flicker.
    func show(_ lines: [StyledText]) {
        let columns = size.columns
        // Erased first: after the last column that would erase what was written there.
        let text = lines.map { "\u{1B}[2K" + $0.written(columns: columns, hasColours: hasColours) }
        put("\u{1B}[H\(text.joined(separator: "\r\n"))")
    }

    /// The keys that were pressed until a time, at least one of them where there is one.
    func keys(until deadline: ContinuousClock.Instant) -> [Key] {
        let left = (deadline - .now) / .milliseconds(1)
        var request = pollfd(fd: keyboard, events: Int16(POLLIN), revents: 0)
        guard poll(&request, 1, Int32(max(0, left.rounded(.up)))) == 1 else { return [] }
        var bytes = [UInt8](repeating: 0, count: 256)
        let count = read(keyboard, &bytes, bytes.count)
        // The terminal has gone.
        guard count > 0 else { return [.letter("q")] }
        return Self.keys(bytes[..<count])
    }

    /// As terminals write them: an arrow is ESC [ A, or ESC O A.
    package static func keys(_ bytes: some Collection<UInt8>) -> [Key] {
        var keys: [Key] = []
        var rest = Array(bytes)[...]
        while let byte = rest.popFirst() {
            guard byte == 0x1B, let second = rest.first,
                [UInt8(ascii: "["), UInt8(ascii: "O")].contains(second)
            else {
                keys.append(.letter(Character(Unicode.Scalar(byte))))
                continue
            }
            rest.removeFirst()
            let parameters = rest.prefix { (0x30...0x3F).contains($0) }
            rest.removeFirst(parameters.count)
            switch (
                rest.popFirst().map { Character(Unicode.Scalar($0)) },
                String(decoding: parameters, as: UTF8.self)
            ) {
            case ("A", _): keys.append(.up)
            case ("B", _): keys.append(.down)
            case ("~", "5"): keys.append(.pageUp)
            case ("~", "6"): keys.append(.pageDown)
            default: break
            }
        }
        return keys
    }

    private func put(_ text: String) {
        let bytes = Array(text.utf8)
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes { write(STDOUT_FILENO, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            // The terminal has gone.
            guard count > 0 else { return }
            sent += count
        }
    }
}
