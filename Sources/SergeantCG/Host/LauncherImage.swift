internal import CLinux
internal import Glibc

/// The Python launcher's text as a sealed memory file, which every `sergeant` worker gets as a descriptor.
final class LauncherImage {
    let descriptor: Descriptor

    /// The numbers under which a worker finds its report channel and this text: behind the sockets it is handed.
    struct Targets {
        let report: Int32
        let source: Int32

        init(sockets: Int) {
            report = ListeningSockets.firstTarget + Int32(sockets)
            source = report + 1
        }
    }

    init() throws(SupervisorError) {
        let result = linux_memfd_create("sergeantcg-launcher")
        descriptor = try Descriptor(max(result, -1), operation: "make a memory file", errno: -result)
        let source = PackageResources.launcher_py
        var start = 0
        while start < source.count {
            let count = source.withUnsafeBytes { bytes in
                write(descriptor.number, bytes.baseAddress?.advanced(by: start), source.count - start)
            }
            guard count > 0 || errno == EINTR else {
                throw SupervisorError(.system, "cannot fill the launcher's memory file: errno \(errno)")
            }
            start += max(count, 0)
        }
        let sealed = linux_seal(descriptor.number)
        guard sealed == 0 else {
            throw SupervisorError(.system, "cannot seal the launcher's memory file: errno \(-sealed)")
        }
    }

    /// The command that runs a worker of this class in this interpreter.
    static func command(python: String, module: String, class name: String, targets: Targets) -> [String] {
        let size = PackageResources.launcher_py.count + 1
        let bootstrap =
            "import os;s=os.pread(\(targets.source),\(size),0);os.close(\(targets.source));"
            + "exec(compile(s,'sergeantcg-launcher','exec'))"
        return [
            python, "-c", bootstrap, "--report-descriptor=\(targets.report)", "--worker-module=\(module)",
            "--worker-class=\(name)",
        ]
    }
}
