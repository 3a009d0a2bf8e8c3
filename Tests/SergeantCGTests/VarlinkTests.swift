import SergeantCG
import Testing

/// The codec of the control socket: what is a call, what is none, and what is written.
@Suite struct VarlinkTests {
    private func call(_ text: String) -> VarlinkCall? { VarlinkCall(Array(text.utf8)) }
    private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    @Test func aCallIsRead() {
        #expect(call(#"{"method":"a.b.C"}"#) == VarlinkCall(method: "a.b.C"))
        #expect(
            call(
                #" { "more" : true , "parameters" : { "t" : "x\"}y" , "n" : 7, "b": false, "z": null, "o": [1] } ,"method":"a.b.C", "future": {"x":[]} } "#
            )
                == VarlinkCall(
                    method: "a.b.C",
                    parameters: [
                        "t": .text("x\"}y"), "n": .integer(7), "b": .boolean(false), "z": .null, "o": .other,
                    ], more: true))
        #expect(call(#"{"method":"a.b.C","oneway":true}"#)?.oneway == true)
        #expect(call(#"{"method":"a.b.C","parameters":null}"#) == VarlinkCall(method: "a.b.C"))
    }

    @Test(arguments: [
        "", "{", "}", "[]", "null", "7", #""x""#, "{}", #"{"method":7}"#, #"{"method":"a"}x"#,
        #"{"method":"a",}"#,
        #"{"method":"a" "more":true}"#, #"{"method":"a","more":"yes"}"#, #"{"method":"a","parameters":[]}"#,
        #"{"method":"a","parameters":{"#, #"{"method":"\"#, #"{"method":"\ud800"}"#,
        #"{'method':'a'}"#, #"{"method":"a"}{"method":"b"}"#, "{\"method\":\"a\nb\"}",
    ])
    func whatIsNoCallIsRefused(_ text: String) {
        #expect(call(text) == nil)
    }

    @Test func aTextThatIsNoneIsNoTextParameter() {
        #expect(call(#"{"method":"a","parameters":{"x":"\ud800"}}"#)?.parameters["x"] == .other)
    }

    @Test func bytesThatAreNoTextAreRefused() {
        #expect(VarlinkCall(Array(#"{"method":""#.utf8) + [0xFF, 0xFE] + Array(#""}"#.utf8)) == nil)
        #expect(VarlinkCall([0xFE, 0xFF, 0x00, 0x7B]) == nil)
    }

    /// What would overflow the stack of a decoder that recurses never comes to it.
    @Test func nestingIsBounded() {
        for unit in ["[", #"{"a":"#, #"[{"a":"#] {
            let deep = String(repeating: unit, count: (VarlinkCall.capacity - 64) / unit.utf8.count)
            #expect(call(deep) == nil)
            #expect(call(#"{"method":"a","parameters":{"x":"# + deep) == nil)
        }
        let shallow = String(repeating: "[", count: 5) + String(repeating: "]", count: 5)
        #expect(call(#"{"method":"a","parameters":{"x":\#(shallow)}}"#)?.parameters["x"] == .other)
        #expect(call(#"{"method":"a","parameters":{"x":[\#(shallow)]}}"#) != nil)
        #expect(call(#"{"method":"a","parameters":{"x":[[\#(shallow)]]}}"#) == nil)
    }

    @Test func aCallThatIsTooLongIsRefused() {
        func padded(to count: Int) -> [UInt8] {
            let frame = #"{"method":""}"#
            return Array(
                #"{"method":"\#(String(repeating: "m", count: count - frame.utf8.count))"}"#.utf8)
        }
        #expect(VarlinkCall(padded(to: VarlinkCall.capacity)) != nil)
        #expect(VarlinkCall(padded(to: VarlinkCall.capacity + 1)) == nil)
    }

    @Test func whatIsWrittenIsReadAgain() {
        let calls = [
            VarlinkCall(method: "a.b.C"), VarlinkCall(method: "a.b.C", more: true),
            VarlinkCall(method: "a.b.C", oneway: true),
            VarlinkCall(
                method: "a.b.C",
                parameters: [
                    "text": .text("\u{0} \"\\ \u{1F600} \u{7F}"), "n": .integer(.min), "b": .boolean(true),
                    "z": .null,
                ]),
        ]
        for call in calls {
            #expect(call.bytes.last == 0)
            #expect(!call.bytes.dropLast().contains(0))
            #expect(VarlinkCall(Array(call.bytes.dropLast())) == call)
        }
    }

    @Test func repliesAreWrittenInOrder() {
        #expect(text(VarlinkReply.result()) == "{\"parameters\":{}}\0")
        #expect(
            text(VarlinkReply.result(continues: true) { $0.member("done", .integer(1)) })
                == "{\"parameters\":{\"done\":1},\"continues\":true}\0")
        #expect(
            text(VarlinkReply.error(.rollFailed(worker: "w-1", reason: "failed")))
                == "{\"error\":\"io.sergeantcg.Supervisor.RollFailed\",\"parameters\":{\"worker\":\"w-1\",\"reason\":\"failed\"}}\0"
        )
    }

    @Test func repliesAreRead() throws {
        let result = try #require(
            VarlinkAnswer(
                Array(VarlinkReply.result(continues: true) { $0.member("b", .text("}")) }.dropLast()))
        )
        #expect(result.continues)
        #expect(result.error == nil)
        #expect(text(result.parameters) == #"{"b":"}"}"#)
        let error = try #require(
            VarlinkAnswer(Array(VarlinkReply.error(.noSuchTarget("x")).dropLast())))
        #expect(error.error == .noSuchTarget("x"))
        #expect(error.error?["target"] == "x")
        #expect(VarlinkAnswer(Array(#"{"parameters":"#.utf8)) == nil)
    }

    // MARK: Messages out of bytes

    @Test func bytesAreCutAtNULs() {
        var buffer = MessageBuffer(capacity: 8)
        var isEmpty = buffer.isEmpty
        #expect(isEmpty)
        for byte in Array("ab\0".utf8) { buffer.append([byte]) }
        #expect(buffer.next() == Array("ab".utf8))
        isEmpty = buffer.isEmpty
        #expect(isEmpty)
        buffer.append(Array("c\0\0dd\0e".utf8))
        #expect(buffer.next() == Array("c".utf8))
        #expect(buffer.next() == [])
        #expect(buffer.next() == Array("dd".utf8))
        #expect(buffer.next() == nil)
        isEmpty = buffer.isEmpty
        #expect(!isEmpty)
        var isOverfull = buffer.isOverfull
        #expect(!isOverfull)
        buffer.append(Array("fffffffg".utf8))
        isOverfull = buffer.isOverfull
        #expect(isOverfull)
    }

    // MARK: What is asked

    @Test func everyMethodIsKnown() throws {
        func request(_ method: String, _ parameters: [String: VarlinkCall.Value] = [:]) -> Result<
            ControlRequest, VarlinkError
        > {
            do throws(VarlinkError) {
                return .success(try ControlRequest(VarlinkCall(method: method, parameters: parameters)))
            } catch { return .failure(error) }
        }
        let own = "io.sergeantcg.Supervisor."
        let service = "org.varlink.service."
        #expect(request(service + "GetInfo") == .success(.information))
        #expect(
            request(service + "GetInterfaceDescription", ["interface": .text("x")])
                == .success(.description(interface: "x")))
        #expect(request(own + "GetStatus") == .success(.status))
        #expect(request(own + "Stop") == .success(.stop))
        #expect(request(own + "Restart") == .success(.restart(target: nil)))
        #expect(request(own + "Restart", ["target": .null]) == .success(.restart(target: nil)))
        #expect(request(own + "Restart", ["target": .text("w")]) == .success(.restart(target: "w")))
        #expect(
            request(own + "Scale", ["group": .text("g"), "workers": .integer(0)])
                == .success(.scale(group: "g", workers: 0)))
        #expect(request(own + "Reload") == .success(.reload))
        #expect(request(own + "Upgrade") == .success(.upgrade))
        #expect(request(own + "Dance") == .failure(.methodNotFound(own + "Dance")))
        #expect(request(service + "GetStatus") == .failure(.methodNotFound(service + "GetStatus")))
        #expect(request("com.example.Dance") == .failure(.interfaceNotFound("com.example")))
        #expect(request("Dance") == .failure(.interfaceNotFound("Dance")))
        #expect(request("") == .failure(.interfaceNotFound("")))
        #expect(request(own + "Restart", ["target": .integer(1)]) == .failure(.invalidParameter("target")))
        #expect(request(own + "Scale", ["workers": .integer(1)]) == .failure(.invalidParameter("group")))
        #expect(request(own + "Scale", ["group": .text("g")]) == .failure(.invalidParameter("workers")))
        #expect(request(own + "Stop", ["now": .boolean(true)]) == .failure(.invalidParameter("now")))
        #expect(request(service + "GetInterfaceDescription") == .failure(.invalidParameter("interface")))
    }

    /// Every method and error that is described exists, and the other way round.
    @Test func theDescriptionIsTrue() throws {
        let text = try #require(ControlInterface.description(of: ControlInterface.name))
        #expect(text.contains("\ninterface io.sergeantcg.Supervisor\n"))
        let methods = text.split(separator: "\n").filter { $0.hasPrefix("method ") }
            .map { String($0.dropFirst(7).prefix { $0 != "(" }) }
        #expect(methods == ["GetStatus", "Watch", "Stop", "Restart", "Scale", "Reload", "Upgrade"])
        for method in methods {
            let parameters: [String: VarlinkCall.Value] =
                method == "Scale" ? ["group": .text("g"), "workers": .integer(0)] : [:]
            #expect(throws: Never.self) {
                try ControlRequest(
                    VarlinkCall(method: "\(ControlInterface.name).\(method)", parameters: parameters))
            }
        }
        let errors = [
            VarlinkError.noSuchTarget(""), .rollFailed(worker: "", reason: ""), .reloadFailed(""), .stopping,
            .notSupported(""), .upgradeFailed(""), .scaleFailed(""),
        ]
        for error in errors {
            let name = error.name.dropFirst(ControlInterface.name.utf8.count + 1)
            let parameters = error.parameters.map { "\($0.name): string" }.joined(separator: ", ")
            #expect(text.contains("\nerror \(name) (\(parameters))\n"))
        }
        #expect(text.split(separator: "\n").count { $0.hasPrefix("error ") } == errors.count)
        let service = try #require(ControlInterface.description(of: ControlInterface.service))
        for error in [
            VarlinkError.interfaceNotFound(""), .methodNotFound(""), .invalidParameter(""), .permissionDenied,
        ] {
            #expect(service.contains("error \(error.name.split(separator: ".").last ?? "") ("))
        }
        #expect(ControlInterface.description(of: "com.example") == nil)
    }

    // MARK: Garbage

    /// Thousands of damaged calls, from one seed: each is refused or read, none does more.
    @Test func garbageIsRefused() {
        var random = SplitMix64(seed: 20_261_124)
        let models = [
            VarlinkCall(method: "io.sergeantcg.Supervisor.GetStatus").bytes,
            VarlinkCall(
                method: "io.sergeantcg.Supervisor.Restart", parameters: ["target": .text("crawl_worker-1")],
                more: true
            ).bytes,
            Array(#"{"method":"a.B","parameters":{"x":[{"y":[1,2.5e9,-0,null,true,"\u00e9\\"]}]}}"#.utf8) + [
                0
            ],
        ]
        var read = 0
        var buffer = MessageBuffer(capacity: VarlinkCall.capacity)
        for _ in 0..<10_000 {
            var bytes = models[Int(random.next() % 3)]
            for _ in 0...(random.next() % 4) {
                let place = Int(random.next() % UInt64(bytes.count))
                switch random.next() % 5 {
                case 0: bytes[place] = UInt8(truncatingIfNeeded: random.next())
                case 1: bytes.remove(at: place)
                case 2: bytes.insert(UInt8(truncatingIfNeeded: random.next()), at: place)
                case 3:
                    bytes.insert(
                        contentsOf: bytes[place..<min(bytes.count, place + Int(random.next() % 40))],
                        at: place)
                default:
                    let structure = Array(#"{}[]",:\0eE-"#.utf8)
                    bytes[place] = structure[Int(random.next() % UInt64(structure.count))]
                }
                if bytes.isEmpty { bytes = [0] }
            }
            buffer.append(bytes)
            while let message = buffer.next() {
                guard let call = VarlinkCall(message) else { continue }
                read += 1
                do throws(VarlinkError) { _ = try ControlRequest(call) } catch {
                    #expect(VarlinkReply.error(error).count < 2000)
                }
            }
            if buffer.isOverfull { buffer = MessageBuffer(capacity: VarlinkCall.capacity) }
        }
        // Some damage leaves a call: a method of another name, more space.
        #expect(read > 500 && read < 9500, "\(read)")
    }
}
