import Glibc
import SergeantCG
import SergeantCommand
import Testing

@Suite struct ConfigurationFiles {
    private func read(_ yaml: String, _ flags: [GivenSetting] = []) throws -> RunSettings {
        try ConfigurationFile.settings(of: Array(yaml.utf8), named: "f.yaml", overriding: flags)
    }

    @Test func groupsAreRead() throws {
        let settings = try read(
            """
            name: crawler
            log-format: json
            defaults: {stop-timeout: 10s}
            groups:
              crawl: {worker-module: crawl_worker, worker-class: Worker, concurrent-workers: 4,
                memory-max: 512M}
              web:
                command: [./serve, --port, "8080"]
                stop-timeout: 1
            """)
        #expect(settings.configuration.name == "crawler")
        #expect(settings.logFormat == .json)
        #expect(settings.configuration.handlesSignals)
        let groups = settings.configuration.groups
        #expect(groups.map(\.name) == ["crawl", "web"])
        #expect(groups.map(\.workers) == [4, 1])
        #expect(groups.map(\.stopTimeout) == [.seconds(10), .seconds(1)])
        #expect(groups.map(\.limits.memoryMax) == [512 << 20, nil])
        #expect(
            groups.map(\.program) == [
                .sergeant(module: "crawl_worker", class: "Worker", python: "python3"),
                .command(["./serve", "--port", "8080"]),
            ])
    }

    static let faults: [(yaml: String, fault: String)] = [
        ("", "f.yaml:1:1: the file is empty"), ("name: x", "f.yaml:1:1: there is no group"),
        ("groups: {}", "f.yaml:1:1: there is no group"), ("groups:", "f.yaml:1:8: 'groups' has nothing"),
        ("groups: [a]", "f.yaml:1:9: 'groups' must be keys"), ("x", "f.yaml:1:1: the file must be keys"),
        ("- x", "f.yaml:1:1: the file must be keys"),
        ("groups: {a: }", "f.yaml:1:13: the group 'a' has nothing in it"),
        ("groups: {a: {comand: [x]}}", "f.yaml:1:14: 'comand' is no key of a group: did you mean 'command'?"),
        ("grups: {}", "f.yaml:1:1: 'grups' is no key of the file: did you mean 'groups'?"),
        ("x-y-z: 1", "f.yaml:1:1: 'x-y-z' is no key of the file (sergeantcg run --help"),
        ("memory_max: 1G", "did you mean 'memory-max'?"), ("<<: {}", "f.yaml:1:1: '<<' is no key"),
        ("memory-max: 1G", "f.yaml:1:1: 'memory-max' is no key of the file: it belongs in a group or in"),
        ("command: [x]", "'command' is no key of the file: it belongs in a group"),
        ("defaults: {command: [x]}", "f.yaml:1:12: 'command' is no key of 'defaults': it belongs in a group"),
        (
            "groups: {a: {log-level: info}}",
            "f.yaml:1:14: 'log-level' is no key of a group: it belongs at the top"
        ),
        ("name: [x]", "f.yaml:1:7: 'name' takes one value"), ("name: {}", "f.yaml:1:7: 'name' takes one"),
        ("name: ~", "f.yaml:1:7: 'name' has no value"),
        ("groups: {a: {command: x}}", "f.yaml:1:23: 'command' takes a list, as in"),
        ("groups: {a: {command: [x, [y]]}}", "f.yaml:1:27: 'command' takes a list of texts"),
        ("groups: {a: {command: [x, null]}}", "f.yaml:1:27: 'command' takes a list of texts"),
        ("groups: {a: {command: []}}", "f.yaml:1:23: the command of group 'a' is empty"),
        (
            "log-level: loud",
            "f.yaml:1:12: the value 'loud' is invalid for 'log-level': it takes one of debug"
        ),
        ("log-level: infp", "Did you mean 'info'?"),
        ("legacy-exit-codes: yes", "f.yaml:1:20: the value 'yes' is invalid for 'legacy-exit-codes'"),
        (
            "defaults:\n  memory-max: 12Q\ngroups: {}",
            "f.yaml:2:15: the value '12Q' is invalid for 'memory-max': a size"
        ),
        (
            "defaults:\n  memory-max: 1K\ngroups:\n  a: {command: [x]}",
            "f.yaml:2:15: memory-max is 1024 bytes"
        ),
        (
            "groups: {a: {command: [x]}, b: {command: [x], concurrent-workers: 0}}",
            "f.yaml:1:67: concurrent-workers is 0: at least 1"
        ),
        (
            "groups: {a: {command: [x], max-worker-memory-usage: 2M, memory-max: 2M}}",
            "f.yaml:1:53: max-worker-memory-usage (2097152 bytes) must be below memory-max (2097152 bytes)"
        ),
        ("groups: {a/b: {command: [x]}}", "f.yaml:1:10: the group name 'a/b' cannot be"),
        ("groups: {\"a\\nb\": {command: [x]}}", "f.yaml:1:10: the group name"),
        ("groups: {supervisor: {command: [x]}}", "f.yaml:1:10: the group name 'supervisor' is taken"),
        ("name: a/b\ngroups: {a: {command: [x]}}", "f.yaml:1:7: the name 'a/b' cannot"),
        ("groups: {a: {concurrent-workers: 1}}", "f.yaml:1:10: in group 'a': There is nothing to run"),
        ("groups: {a: {worker-module: m}}", "f.yaml:1:10: in group 'a': worker-module needs worker-class"),
        ("groups: {a: {worker-class: m}}", "in group 'a': worker-class needs worker-module"),
        (
            "groups: {a: {worker-module: m, worker-class: C, command: [x]}}",
            "in group 'a': Give either worker-module and worker-class, or a command, not both"
        ),
        ("groups: {a: {command: [x], env: [A=b]}}", "f.yaml:1:33: 'env' takes names with values"),
        ("groups: {a: {command: [x], env: {A: }}}", "f.yaml:1:37: the variable 'A' takes a text"),
        ("groups: {a: {command: [x], env: {A=b: c}}}", "f.yaml:1:34: 'A=b' cannot be the name"),
        (
            "groups: {a: {command: [x], env: {SERGEANT_SLOT: c}}}",
            "f.yaml:1:33: the variable SERGEANT_SLOT is the supervisor's"
        ),
        ("defaults: {env-file: /nonexistent}", "f.yaml:1:22: the value '/nonexistent' is invalid for"),
        ("defaults: {umask: 0888}", "f.yaml:1:19: the value '0888' is invalid for 'umask': it takes octal"),
        ("defaults: {listen: {a: b}}", "'listen' takes a value, or a list"),
        ("groups: {a: &a {command: [x]}, b: *a}", "f.yaml:1:13: an anchor is not taken"),
    ]

    @Test(arguments: faults.indices) func oneFaultIsToldWithItsPlace(index: Int) {
        let (yaml, words) = Self.faults[index]
        let fault = #expect(throws: ConfigurationFault.self) { try read(yaml) }
        let text = fault?.description ?? ""
        #expect(text.contains(words), "\(text)")
        for setting in Setting.all {
            #expect(!text.contains("--\(setting.name)"), "a file has no flags: \(text)")
        }
    }

    /// A megabyte in one word is not said again.
    @Test func aFaultIsNeverLong() {
        let long = String(repeating: "é", count: 200_000)
        for yaml in [
            "\"\(long)\": 1", "name: [\(long)]", "log-level: \(long)", "groups: {? \(long) : {a: b}}",
        ] {
            let fault = #expect(throws: ConfigurationFault.self) { try read(yaml) }
            #expect((fault?.description.utf8.count ?? .max) < 600)
        }
    }

    @Test(arguments: [
        ("/nonexistent/file", "No such file"), ("/tmp", "Is a directory"),
        ("/dev/zero", "not a regular file"),
        ("", "cannot be the name"), ("/etc/passwd/x", "Not a directory"), ("a\0b", "cannot be the name"),
    ])
    func whatIsNoFileIsRefused(path: String, words: String) {
        let fault = #expect(throws: ConfigurationFault.self) { try ConfigurationFile.load(path) }
        #expect(fault?.description.contains(words) == true, "\(fault?.description ?? "")")
    }

    /// Of a gigabyte no more is read than a configuration may have; a FIFO nobody writes to does not hold us up.
    @Test func whatIsTooMuchIsRefused() throws {
        let path = "/tmp/sergeantcg-test-\(getpid())-configuration"
        defer { unlink(path) }
        let file = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0o600)
        #expect(ftruncate(file, 1 << 30) == 0)
        close(file)
        let fault = #expect(throws: ConfigurationFault.self) { try ConfigurationFile.load(path) }
        #expect(fault?.description == "\(path): it is larger than 1 MiB, which no configuration is")
        unlink(path)
        #expect(mkfifo(path, 0o600) == 0)
        let other = #expect(throws: ConfigurationFault.self) { try ConfigurationFile.load(path) }
        #expect(other?.description.contains("not a regular file") == true)
    }

    // MARK: Flags

    private static let samples = [
        "N|auto": "3", "size": "3M", "count": "7", "signal": "INT", "time": "3s", "N/seconds": "5/60",
        "module": "m", "class": "C", "program": "p", "name": "n", "path": "/p", "path|none": "/c",
        "NAME=VALUE": "A=b",
        "file": "/tmp/sergeantcg-test-\(getpid())-variables", "directory": "/d",
        "octal": "027", "address": "unix:///a", "auto|never": "never",
        "inherit|prefix|journal|file": "prefix", "auto|text|json|journal": "json",
        "debug|info|warning|error|critical": "error", "true|false": "true",
        "user[:group]": "root:4", "name=soft[:hard]": "nofile=5:6",
        "CPUs": "0.5", "stall/window": "1/2", "kill|continue": "continue",
        "kill|adopt": "adopt",
        "always|on-failure|never": "never", "weight": "7", "limits": "\(disk) rbps=1M",
    ]

    /// Some disk of this machine; any number will do where it shows none.
    private static var disk: String {
        var found = glob_t()
        defer { globfree(&found) }
        guard glob("/sys/dev/block/*:*", 0, nil, &found) == 0 else { return "8:0" }
        let whole = (0..<Int(found.gl_pathc)).compactMap { found.gl_pathv[$0].map { String(cString: $0) } }
            .first { access("\($0)/partition", F_OK) != 0 }
        return whole?.split(separator: "/").last.map(String.init) ?? "8:0"
    }

    /// Every option of the table is a flag and a key, and both do the same.
    @Test func aFlagAndAKeyAreTheSame() throws {
        let variables = try #require(Self.samples["file"])
        // One variable: a dictionary of several has no order to be compared in.
        let file = open(variables, O_CREAT | O_WRONLY | O_CLOEXEC, 0o600)
        #expect(write(file, "A=b\n", 4) == 4)
        close(file)
        defer { unlink(variables) }
        var base = "\(try RunCommandLine.settings(["--", "g"]))"
        #expect("\(try read("groups: {g: {command: [g]}}"))" == base)
        for setting in Setting.all where setting.shape != .words {
            let sample = try #require(
                Self.samples[setting.placeholder], "no sample for <\(setting.placeholder)>")
            var words = ["--\(setting.name)"] + (setting.shape == .flag ? [] : [sample])
            var group = "command: [g]"
            switch setting.scope {
            case .program:
                words = ["--worker-module", "g", "--worker-class", "C"]
                group = "worker-module: g, worker-class: C"
                base = ""
            case .group:
                if setting.name == Setting.python.name {
                    words += ["--worker-module", "g", "--worker-class", "C"]
                    group = "worker-module: g, worker-class: C"
                } else {
                    words += ["--", "g"]
                }
                let value =
                    setting.shape == .variables ? "{\(sample.replacing("=", with: ": "))}" : sample
                group += ", \(setting.name): \(value)"
            case .supervisor: words += ["--", "g"]
            }
            let top = setting.scope == .supervisor ? "\(setting.name): \(sample)\n" : ""
            let fromFlag = "\(try RunCommandLine.settings(words))"
            let fromFile = "\(try read("\(top)groups: {g: {\(group)}}"))"
            #expect(fromFlag == fromFile, "\(setting.name)")
            #expect(fromFlag != base, "\(setting.name) has no effect")
        }
    }

    @Test func variablesAddUp() throws {
        let flags = try RunCommandLine.settings(["--env", "A=1", "--env=B==", "--env", "A=2", "--", "g"])
        #expect(flags.configuration.groups[0].environment == ["A": "2", "B": "="])
        let file = try read(
            "defaults: {env: {A: 1, B: 010}}\ngroups: {a: {command: [x], env: {A: yes}}}",
            [try Setting.env.given(.words(["C=3"]))])
        #expect(file.configuration.groups[0].environment == ["A": "yes", "B": "010", "C": "3"])
    }

    @Test func whatMayBeGivenAgainIsAList() throws {
        let flags = try RunCommandLine.settings(["--listen", "unix:///a", "--listen=unix:///b", "--", "g"])
        #expect(flags.configuration.groups[0].listen.map(\.description) == ["unix:///a", "unix:///b"])
        let file = try read(
            "defaults: {listen: unix:///a}\ngroups: {a: {command: [x]}, b: {command: [x], listen: [unix:///b]}}"
        )
        #expect(
            file.configuration.groups.map { $0.listen.map(\.description) } == [["unix:///a"], ["unix:///b"]])
    }

    @Test func flagsTakePrecedence() throws {
        let path = "/tmp/sergeantcg-test-\(getpid())-precedence"
        defer { unlink(path) }
        let file = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0o600)
        let yaml = Array(
            "name: a\ngroups: {a: {command: [x], pids-max: 1}, b: {command: [y], concurrent-workers: 5}}".utf8
        )
        #expect(write(file, yaml, yaml.count) == yaml.count)
        close(file)
        let settings = try RunCommandLine.settings([
            "--name", "b", "--concurrent-workers=2", "--config", path,
        ])
        #expect(settings.configuration.name == "b")
        #expect(settings.configuration.groups.map(\.workers) == [2, 2])
        #expect(settings.configuration.groups.map(\.limits.pidsMax) == [1, nil])
        for words in [["--worker-module", "m"], ["--worker-class", "C"], ["--", "x"]] {
            let error = #expect(throws: (any Error).self) {
                try RunCommandLine.settings(["--config", path] + words)
            }
            #expect("\(error.map { "\($0)" } ?? "")".contains("beside --config"))
        }
    }

    // MARK: Garbage

    /// Files with bytes changed, lost, doubled and shuffled: each is read, or refused with a place that is in it.
    @Test(arguments: 0..<8) func whateverIsInAFile(seed: UInt64) {
        let texts = [
            "name: crawler\ndefaults: {stop-timeout: 10s}\ngroups:\n  crawl: {worker-module: m, worker-class: W}\n",
            "groups:\n  web:\n    command: [./serve, --port, \"8080\"]\n    memory-max: 512M\n  # é\n  b:\n    - |\n      x\n",
            "%YAML 1.1\n---\na: &a [*a, !!str 'x', \"\\u263a\"]\n? b\n: c\n...\n",
        ].map { Array($0.utf8) }
        let spices = Array("\n\t -:?[]{}&*!|>'\"%@`#,~\\\u{0}\u{7F}".utf8) + [0xC3, 0xE2, 0xFF, 0xED, 0xF4]
        var random = SplitMix64(seed: seed)
        for _ in 0..<2000 {
            var bytes = texts[Int.random(in: 0..<texts.count, using: &random)]
            for _ in 0..<Int.random(in: 1...6, using: &random) where !bytes.isEmpty {
                let index = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<5, using: &random) {
                case 0: bytes[index] = UInt8.random(in: .min ... .max, using: &random)
                case 1: bytes[index] = spices[Int.random(in: 0..<spices.count, using: &random)]
                case 2: bytes.insert(spices[Int.random(in: 0..<spices.count, using: &random)], at: index)
                case 3: bytes.removeSubrange(index..<min(bytes.count, index + 5))
                default: bytes += bytes[..<index]
                }
            }
            do {
                let settings = try ConfigurationFile.settings(of: bytes, named: "f")
                #expect(!settings.configuration.groups.isEmpty && settings.configuration.fault == nil)
            } catch {
                let lines = bytes.count { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") } + 2
                let place = error.place ?? TextPlace(line: 0, column: 0)
                #expect(place.line >= 1 && place.column >= 1 && place.line <= lines)
                #expect(place.column <= bytes.count + 1 && error.sentence.utf8.count < 600)
            }
        }
    }
}
