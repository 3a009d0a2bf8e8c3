/// The two interfaces of the control socket: which methods there are, what they take, and how they fail.
package enum ControlInterface {
    /// The supervisor's own.
    package static let name = "io.sergeantcg.Supervisor"
    /// What every Varlink service has.
    package static let service = "org.varlink.service"

    /// The text of an interface's description; nil where there is no such interface.
    package static func description(of interface: String) -> String? {
        switch interface {
        case name: String(decoding: PackageResources.io_sergeantcg_Supervisor_varlink, as: UTF8.self)
        case service: String(decoding: PackageResources.org_varlink_service_varlink, as: UTF8.self)
        default: nil
        }
    }

    /// The answer to `GetInfo`.
    package static func information(_ reply: inout JSONText) {
        reply.member("vendor", .text("SergeantCG"))
        reply.member("product", .text("sergeantcg"))
        reply.member("version", .text(Version.current))
        reply.member("url", .text(""))
        reply.member("interfaces", .texts([service, name]))
    }
}

/// What a call asks for, once its method and its parameters are understood.
package enum ControlRequest: Hashable, Sendable {
    case information
    case description(interface: String)
    case status
    /// What occurred after this number; nil for all that is remembered.
    case watch(after: UInt64?)
    case stop
    /// A group, a worker, or nil for all; so many of a group at a time.
    case restart(target: String?, maximumUnavailable: Int? = nil)
    case scale(group: String, workers: Int)
    case reload
    case upgrade

    /// - Throws: ``VarlinkError`` where there is no such method, or it does not take these parameters.
    package init(_ call: VarlinkCall) throws(VarlinkError) {
        guard let dot = call.method.lastIndex(of: ".") else {
            throw .interfaceNotFound(call.method)
        }
        let interface = String(call.method[..<dot])
        let method = call.method[call.method.index(after: dot)...]
        switch (interface, method) {
        case (ControlInterface.service, "GetInfo"):
            try call.takes([])
            self = .information
        case (ControlInterface.service, "GetInterfaceDescription"):
            try call.takes(["interface"])
            guard let interface = try call.text("interface") else { throw .invalidParameter("interface") }
            self = .description(interface: interface)
        case (ControlInterface.name, "GetStatus"):
            try call.takes([])
            self = .status
        case (ControlInterface.name, "Watch"):
            try call.takes(["after"])
            self = .watch(after: try call.number("after"))
        case (ControlInterface.name, "Stop"):
            try call.takes([])
            self = .stop
        case (ControlInterface.name, "Restart"):
            try call.takes(["target", "max_unavailable"])
            let most = try call.number("max_unavailable")
            guard most.map({ (1...UInt64(WorkerCount.most)).contains($0) }) ?? true else {
                throw .invalidParameter("max_unavailable")
            }
            self = .restart(target: try call.text("target"), maximumUnavailable: most.map { Int($0) })
        case (ControlInterface.name, "Scale"):
            try call.takes(["group", "workers"])
            guard let group = try call.text("group") else { throw .invalidParameter("group") }
            guard let workers = try call.number("workers"), workers <= WorkerCount.most else {
                throw .invalidParameter("workers")
            }
            self = .scale(group: group, workers: Int(workers))
        case (ControlInterface.name, "Reload"):
            try call.takes([])
            self = .reload
        case (ControlInterface.name, "Upgrade"):
            try call.takes([])
            self = .upgrade
        case (ControlInterface.service, _), (ControlInterface.name, _):
            throw .methodNotFound(call.method)
        default:
            throw .interfaceNotFound(interface)
        }
    }
}

extension VarlinkCall {
    fileprivate func takes(_ names: Set<String>) throws(VarlinkError) {
        guard let stranger = parameters.keys.filter({ !names.contains($0) }).min() else { return }
        throw .invalidParameter(stranger)
    }

    /// A number that is not negative; one that may be left out, or be null.
    fileprivate func number(_ name: String) throws(VarlinkError) -> UInt64? {
        switch parameters[name] {
        case nil, .null: return nil
        case .integer(let number):
            guard let number = UInt64(exactly: number) else { throw .invalidParameter(name) }
            return number
        case .boolean, .text, .other: throw .invalidParameter(name)
        }
    }

    /// A parameter that may be left out, or be null.
    fileprivate func text(_ name: String) throws(VarlinkError) -> String? {
        switch parameters[name] {
        case nil, .null: return nil
        case .text(let text): return text
        case .boolean, .integer, .other: throw .invalidParameter(name)
        }
    }
}

extension VarlinkError {
    /// What a name from outside may have in an answer: it may be as long as a call.
    private static func shown(_ text: String) -> String { String(text.prefix(200)) }

    package static func interfaceNotFound(_ interface: String) -> VarlinkError {
        VarlinkError("org.varlink.service.InterfaceNotFound", ["interface": shown(interface)])
    }

    package static func methodNotFound(_ method: String) -> VarlinkError {
        VarlinkError("org.varlink.service.MethodNotFound", ["method": shown(method)])
    }

    package static func invalidParameter(_ parameter: String) -> VarlinkError {
        VarlinkError("org.varlink.service.InvalidParameter", ["parameter": shown(parameter)])
    }

    package static let permissionDenied = VarlinkError("org.varlink.service.PermissionDenied")

    package static func noSuchTarget(_ target: String) -> VarlinkError {
        VarlinkError("io.sergeantcg.Supervisor.NoSuchTarget", ["target": shown(target)])
    }

    package static func rollFailed(worker: String, reason: String) -> VarlinkError {
        VarlinkError("io.sergeantcg.Supervisor.RollFailed", ["worker": worker, "reason": reason])
    }

    package static func reloadFailed(_ reason: String) -> VarlinkError {
        VarlinkError("io.sergeantcg.Supervisor.ReloadFailed", ["reason": reason])
    }

    package static func scaleFailed(_ reason: String) -> VarlinkError {
        VarlinkError("io.sergeantcg.Supervisor.ScaleFailed", ["reason": reason])
    }

    package static func upgradeFailed(_ reason: String) -> VarlinkError {
        VarlinkError("io.sergeantcg.Supervisor.UpgradeFailed", ["reason": reason])
    }

    package static let stopping = VarlinkError("io.sergeantcg.Supervisor.Stopping")

    package static func notSupported(_ reason: String) -> VarlinkError {
        VarlinkError("io.sergeantcg.Supervisor.NotSupported", ["reason": reason])
    }
}
