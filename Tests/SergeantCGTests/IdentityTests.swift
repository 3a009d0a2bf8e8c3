import SergeantCG
import Testing

/// Whom workers run as, and within which limits of setrlimit(2), as people write them.
@Suite struct Identities {
    @Test(arguments: [
        ("nofile=1024", "nofile 7 1024 1024"), ("nofile=1024:4096", "nofile 7 1024 4096"),
        ("LimitNOFILE=1", "nofile 7 1 1"), ("RLIMIT_CORE=0", "core 4 0 0"),
        ("core=0:infinity", "core 4 0 infinity"),
        ("as=1G:2G", "as 9 1073741824 2147483648"), ("stack=unlimited", "stack 3 infinity infinity"),
        ("cpu=60:70", "cpu 0 60 70"), ("rttime=200000", "rttime 15 200000 200000"),
        ("nproc=5", "nproc 6 5 5"),
    ])
    func aLimit(text: String, words: String) throws {
        let limit = try ResourceLimit(parsing: text)
        #expect(
            "\(limit.resource.rawValue) \(limit.resource.number) \(ResourceLimit.words(limit.soft)) \(ResourceLimit.words(limit.hard))"
                == words)
    }

    @Test(arguments: [
        ("", "it takes NAME=SOFT"), ("nofile", "it takes NAME=SOFT"),
        ("nofile=", "nofile takes a whole number"),
        ("=5", "'' is none of the limits"), ("nofil=5", "Did you mean 'nofile'?"),
        ("vmem=5", "'vmem' is none of"),
        ("nofile=5:", "nofile takes a whole number"), ("nofile=:5", "nofile takes a whole number"),
        ("nofile=1:2:3", "it takes NAME=SOFT"),
        ("nofile=10:5", "the soft limit of nofile (10) is above its hard limit (5)"),
        ("nofile=infinity:5", "(infinity) is above its hard limit (5)"),
        ("nofile=1K", "nofile takes a whole number"),
        ("as=10%", "as takes bytes"), ("as=-1", "as takes bytes"), ("cpu=1h", "cpu takes whole seconds"),
        ("nofile=99999999999999999999999", "nofile takes a whole number"),
    ])
    func noLimit(text: String, words: String) {
        let fault = #expect(throws: ValueFault.self) { try ResourceLimit(parsing: text) }
        #expect(fault?.description.contains(words) == true, "\(fault?.description ?? "")")
    }

    @Test func theUserDatabaseIsAsked() throws {
        let root = try WorkerUser.find("root")
        #expect(root.user == 0 && root.group == 0 && root.name == "root" && root.home == "/root")
        #expect(root.groups.contains(0))
        #expect(try WorkerUser.find("0") == root)
        let other = try WorkerUser.find("root:4242")
        #expect(other.group == 4242 && other.groups.contains(4242))
        #expect(try WorkerUser.find("4242:root") == WorkerUser(user: 4242, group: 0, groups: [0]))
    }

    @Test(arguments: [
        ("", "a user is missing: it takes"), (":", "a user is missing before the ':'"),
        (":x", "a user is missing before"),
        ("root:", "a group is missing after the ':'"),
        ("no-such-user", "there is no user 'no-such-user' here"),
        ("root:no-such-group", "there is no group 'no-such-group' here"),
        ("root:root:root", "it takes USER[:GROUP]"),
        ("4242", "its group must be named too: 4242:GROUP"), ("-1", "there is no user '-1'"),
        ("4294967295", "there is no user"), ("root:4294967295", "there is no group"),
        ("ro\0ot", "it takes USER"),
        ("root:\0", "it takes USER"), ("99999999999999", "there is no user"),
        (" root", "there is no user ' root'"),
    ])
    func nobody(text: String, words: String) {
        let fault = #expect(throws: ValueFault.self) { try WorkerUser.find(text) }
        #expect(fault?.description.contains(words) == true, "\(fault?.description ?? "")")
    }

    @Test func anyText() {
        var random = SystemRandomNumberGenerator()
        let pieces = [
            "root", ":", "0", "", "=", "nofile", "1M", "infinity", "é", "\0", " ", "9999999999", "-", "%",
        ]
        for _ in 0..<5000 {
            let text = (0..<Int.random(in: 0...6, using: &random)).map { _ in
                pieces.randomElement(using: &random) ?? ""
            }.joined()
            _ = try? ResourceLimit(parsing: text)
            _ = try? WorkerUser.find(text)
        }
    }

    /// What was given by hand stands above what the user's entry says.
    @Test func theVariablesOfAUser() {
        var group = GroupConfiguration(program: .command(["w"]), workers: 1, environment: ["HOME": "/given"])
        group.user = WorkerUser(user: 1, group: 1, groups: [1], name: "u", home: "/home/u", shell: "/bin/sh")
        let shared = WorkerEnvironment.shared(group)
        func values(_ name: String) -> [String] { shared.filter { $0.hasPrefix("\(name)=") } }
        #expect(values("HOME") == ["HOME=/given"] && values("USER") == ["USER=u"])
        #expect(values("LOGNAME") == ["LOGNAME=u"] && values("SHELL") == ["SHELL=/bin/sh"])
        group.user = WorkerUser(user: 1, group: 1, groups: [1])
        group.environment = [:]
        let bare = WorkerEnvironment.shared(group)
        #expect(!bare.contains { $0.hasPrefix("HOME=") || $0.hasPrefix("USER=") || $0.hasPrefix("SHELL=") })
    }
}
