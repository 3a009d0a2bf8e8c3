import SergeantCG
import Testing

@Suite struct ListenAddressTests {
    @Test(arguments: [
        ("tcp://127.0.0.1:8080", "tcp-127.0.0.1-8080", "tcp://127.0.0.1:8080"),
        ("tcp://[::1]:80", "tcp-..1-80", "tcp://[::1]:80"),
        ("tcp://[0:0:0:0:0:0:0:1]:80", "tcp-..1-80", "tcp://[::1]:80"),
        ("web=tcp://0.0.0.0:1", "web", "tcp://0.0.0.0:1"),
        ("unix:///run/x.sock", "unix-/run/x.sock", "unix:///run/x.sock"),
        ("a=b=unix:///run/a=b", "a=b", "unix:///run/a=b"),
    ])
    func areRead(text: String, name: String, written: String) throws {
        let address = try ListenAddress(parsing: text)
        #expect(address.name == name)
        #expect(address.description == written)
    }

    @Test func aModeIsOctal() throws {
        let plain = try ListenAddress(parsing: "unix:///x").endpoint
        let given = try ListenAddress(parsing: "unix:///x,mode=0660").endpoint
        #expect(given == .unix(path: "/x", mode: 0o660))
        #expect(plain == .unix(path: "/x", mode: 0o600))
    }

    @Test(arguments: [
        "", "8080", "tcp:8080", "tcp://", "tcp://8080", "tcp://127.0.0.1", "tcp://127.0.0.1:",
        "tcp://127.0.0.1:0",
        "tcp://127.0.0.1:65536", "tcp://127.0.0.1:+1", "tcp://localhost:80", "tcp://::1:80",
        "tcp://[127.0.0.1]:80",
        "tcp://[::1]", "tcp://[::1:80", "udp://127.0.0.1:53", "unix://run/x", "unix:///run/",
        "unix:///x,mode=8", "unix:///x,mode=+7", "unix:///x,mode=",
        "unix:///x,mode=1777", "unix:///x,owner=me", "unix://", "=tcp://127.0.0.1:80",
        "a:b=tcp://127.0.0.1:80",
        "unix:///" + String(repeating: "x", count: 107), "unix:///a\0b", "\u{1}=tcp://127.0.0.1:80",
    ])
    func whatIsNoneIsSaid(text: String) {
        do {
            let address = try ListenAddress(parsing: text)
            Issue.record("\(text) was taken for \(address)")
        } catch {
            #expect(error.description.contains("'"))
        }
    }

    /// Whatever comes, it ends, and what was taken is read again as the same.
    @Test func garbageDoesNoHarm() {
        let pieces = [
            "tcp", "unix", "://", ":", "/", "[", "]", "=", ",", "mode=", "80", "127.0.0.1", "::", "é", "\0",
            " ",
        ]
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<20_000 {
            let text = (0..<Int.random(in: 0...8, using: &generator)).map { _ in pieces.randomElement() ?? ""
            }.joined()
            guard let address = try? ListenAddress(parsing: text) else { continue }
            let again = try? ListenAddress(
                name: address.name, ListenAddress(parsing: address.description).endpoint)
            #expect(again?.description == address.description, "\(text)")
        }
    }
}
