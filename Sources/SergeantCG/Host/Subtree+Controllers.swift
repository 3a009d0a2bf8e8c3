internal import CgroupKit
internal import Glibc

/// The controllers that the limits need.
extension Subtree {
    static func needed(_ configuration: Configuration) -> Controllers {
        configuration.groups.reduce(into: []) { $0.formUnion($1.controllers) }
    }

    /// Beside those, what is enabled where it can be had: it only accounts.
    private static func wished(_ configuration: Configuration) -> Controllers {
        configuration.accounting == nil ? .memory : [.memory, .cpu, .io, .pids]
    }

    /// In the hierarchy's real root, above our own subtree: what is missing there is missing for us.
    func enable(in parent: String, for configuration: Configuration) throws(SupervisorError) {
        do throws(CgroupError) {
            let above = try Cgroup.open(parent)
            let wanted = Self.needed(configuration).union(Self.wished(configuration)).intersection(
                try above.controllers())
            let missing = wanted.subtracting(try above.subtreeControl())
            guard !missing.isEmpty else { return }
            let others = Set(try above.children())
            do throws(CgroupError) { try above.enable(missing) } catch {
                // No limit needs it, so it is only accounting that is lost.
                guard error.errno == EBUSY, missing.isDisjoint(with: Self.needed(configuration)) else {
                    throw error
                }
                return
            }
            changes.insert(.enabledAbove(in: parent, missing, others: others), at: 0)
        } catch {
            throw Self.unusable(error)
        }
    }

    func enableControllers(for configuration: Configuration) throws(SupervisorError) {
        let needed = Self.needed(configuration)
        let available: Controllers
        do throws(CgroupError) { available = try root.controllers() } catch { throw Self.unusable(error) }
        let missing = needed.subtracting(available)
        guard missing.isEmpty else {
            throw SupervisorError(
                .noUsableCgroup, Self.sentence(forMissing: missing, of: available, in: root.path))
        }
        do throws(CgroupError) {
            accountsMemory = available.contains(.memory)
            let wanted = needed.union(Self.wished(configuration)).intersection(available)
            let enabling = wanted.subtracting(try root.subtreeControl())
            do throws(CgroupError) { try root.enable(enabling) } catch {
                // Somebody is in the root who cannot be moved: one of another PID namespace.
                guard error.errno == EBUSY, enabling.isDisjoint(with: needed) else { throw error }
                accountsMemory = false
                notices.append(
                    "a process that cannot be moved from here is in \(root.path): workers are supervised without "
                        + "memory accounting")
                return
            }
            let ours = succeedsKilled ? wanted : enabling
            if !ours.isEmpty { changes.append(.enabled(in: root.path, ours)) }
        } catch {
            throw Self.unusable(error)
        }
        if !accountsMemory {
            notices.append(
                "the memory controller is missing from \(root.path)/cgroup.controllers: workers are supervised "
                    + "without memory accounting")
        }
    }

    /// A kernel may have a controller without all of its files.
    ///
    /// - Throws: ``SupervisorError`` with kind `noUsableCgroup`, which names the option and the file.
    func checkFiles(for group: GroupConfiguration) throws(SupervisorError) {
        guard !group.limits.optionalFiles.isEmpty else { return }
        let directory: String
        do throws(CgroupError) { directory = try openGroup(group.name).path } catch {
            throw Self.unusable(error)
        }
        if let sentence = Self.sentence(forMissingFileOf: group.limits, in: directory) {
            throw SupervisorError(.noUsableCgroup, sentence)
        }
    }

    /// Nil where none is missing.
    static func sentence(forMissingFileOf limits: Limits, in directory: String) -> String? {
        guard
            let missing = limits.optionalFiles.first(where: { access("\(directory)/\($0.name)", F_OK) != 0 })
        else { return nil }
        return
            "--\(missing.setting.name) needs the kernel's \(missing.name), which \(directory) has not: leave the option "
            + "out, or run a kernel that was built with it"
    }
}
