package import Supervision

/// The kinds of occurrence, each by the random number that journald and its message catalog know it by
/// (`MESSAGE_ID`, systemd.journal-fields(7)). A number never changes: people's filters name it.
package enum MessageID: String, CaseIterable, Sendable {
    case supervisorStarted = "9f5c18e906214ea3b5aebe81de784643"
    case supervisorReady = "4fd0e0fdb43f45fca7fac5fd0a88107e"
    case supervisorUpgraded = "1b27c453f6c0400198c8a9b650bf193b"
    case supervisorUpgradeRefused = "9e3b916e205a49f8bba1d716947169cc"
    case supervisorStopping = "93c71d6365c74d0296c28c5405e2a3e0"
    case supervisorStopped = "7b3190e7406648d68d975336e1e8e5fb"
    case supervisorReloading = "fbd88e33ceb53c56b0ce32b64b81a147"
    case supervisorReloaded = "18ef741ab08b0f117d6e88260c0ae89a"
    case supervisorBroken = "cc04f3cdc531113a37091ad55eaa4c2e"
    case supervisorTrouble = "7af6a791d3104ff6a02acb38e75a166e"
    case supervisorNotice = "f64a878f46f54ec29446d7c07a26ff1b"
    case logDropped = "3ce7eee5fde141faa11d757858dc6b9a"
    case workerAdopted = "40ae3707329d4e989522ac1222f92e3f"
    case workerStarted = "c31dc364131943eb8768a99f63fc6ec1"
    case workerReady = "5ee6235af66749eab86e206912f370c5"
    case workerStopping = "dae641bd0a164dcfb5cbb3aa0f21b201"
    case workerMemoryAlarm = "0e338a34028c42918dfe85a5b72accf8"
    case workerMemoryLimit = "353b88200ecf4e588e60a9bbdaff83dc"
    case workerOOM = "f7e5abdc4e6949a7892f1680c435a958"
    case workerPidsLimit = "6e6472b9353f4960b2ef84779f5dc43e"
    case workerLeftovers = "c774167f494d4b33aec925eab78dcecc"
    case workerStuck = "97bc3ff8fd2d4b6baba80ee9f80d2869"
    case workerBackoff = "1d6ebe5b72004a179e6a842962dd3cfb"
    case workerPaced = "dc7fb595c81a4029a54aa9091a9e2293"
    case workerWatchdog = "0a9f0c38f80a4e89bd8dcb6cf5b5dcb8"
    case workerLeaving = "a5892bc732c94c8d8320ac6c685f9676"
    case workerStatus = "f3a94566ac3b493c9e52807c52ef4842"
    case workerYielding = "6dbabc1834b2436e9fc378597311c5a0"
    case workerMemoryExcess = "c924054d37ce41418e6aba2dce423a0a"
    case workerMemoryPressure = "82690c7f7914474cbe138c4ae49f0136"
    case workerAccounted = "13eacf8d399c4ea2b7aa1de95e061327"
    case workerNotReplaced = "f05f83f7d86e4052a9a344b9e72bd3b1"
    // A `worker_exited`, apart by what a person asks about.
    case workerFinished = "c8bfcb5b4eeb49d19aa17d47e3d089b2"
    case workerGone = "fa866cf939cd4f04a67b6ebe0932d802"
    case workerFailed = "3e97ce9d580f4bae935542bd3b1fa85a"
    case workerCrashed = "fa63125af50b4a3aad93f42cb65904df"
    case workerOOMKilled = "e00f16a4bcab4c6db46e6d5d46db22d6"
    case workerRecycled = "2377af328b6547a0b72609addd754742"
    case workerWatchdogExpired = "0034f199f9b048bda9facb6d396dc838"
    case workerStartTimedOut = "77ebd78aa6394c55add18797539e9c13"
    case workerStartFailed = "d0f1fba935394275814482add9c68135"
    case groupFailed = "c59833e452674a11ac520116753bddbc"
    case groupScaled = "0e39b1934fd04c2a9c18fb6bb6c27fa0"
    case rollStarted = "579d5d59b1444763aa69d76e25f2c925"
    case rollEnded = "702d8ab7c7154a87af36e3e952bb22d2"

    /// The kind of a record; nil for one that has no number.
    package init?(of record: Record) {
        if record.event == "worker_exited" {
            let reason = record.fields.first { $0.name == "reason" }
            guard case .text(let word)? = reason?.value, let reason = Reason(rawValue: word) else {
                return nil
            }
            self.init(of: reason)
        } else if let id = Self.events[record.event] {
            self = id
        } else {
            return nil
        }
    }

    package init(of reason: Reason) {
        switch reason {
        case .finished, .respawnRequested, .stopRequested: self = .workerFinished
        case .lifetime, .restart, .scaleDown, .shutdown: self = .workerGone
        case .failed: self = .workerFailed
        case .crashed: self = .workerCrashed
        case .oomKilled: self = .workerOOMKilled
        case .memoryLimit, .memoryPressure: self = .workerRecycled
        case .watchdog: self = .workerWatchdogExpired
        case .startTimeout: self = .workerStartTimedOut
        case .startFailed: self = .workerStartFailed
        }
    }

    /// By the name of the event in the log.
    package static let events: [String: MessageID] = [
        "supervisor_started": .supervisorStarted, "supervisor_ready": .supervisorReady,
        "supervisor_upgraded": .supervisorUpgraded,
        "supervisor_upgrade_refused": .supervisorUpgradeRefused,
        "supervisor_stopping": .supervisorStopping, "supervisor_stopped": .supervisorStopped,
        "supervisor_reloading": .supervisorReloading, "supervisor_reloaded": .supervisorReloaded,
        "supervisor_broken": .supervisorBroken,
        "supervisor_trouble": .supervisorTrouble, "supervisor_notice": .supervisorNotice,
        "log_dropped": .logDropped,
        "worker_adopted": .workerAdopted, "worker_started": .workerStarted, "worker_ready": .workerReady,
        "worker_stopping": .workerStopping,
        "worker_memory_alarm": .workerMemoryAlarm, "worker_memory_limit": .workerMemoryLimit,
        "worker_yielding": .workerYielding, "worker_memory_excess": .workerMemoryExcess,
        "worker_memory_pressure": .workerMemoryPressure,
        "worker_oom": .workerOOM, "worker_pids_limit": .workerPidsLimit, "worker_leftovers": .workerLeftovers,
        "worker_stuck": .workerStuck,
        "worker_accounted": .workerAccounted,
        "worker_backoff": .workerBackoff, "worker_paced": .workerPaced,
        "worker_not_replaced": .workerNotReplaced, "worker_watchdog": .workerWatchdog,
        "worker_status": .workerStatus, "worker_leaving": .workerLeaving,
        "group_failed": .groupFailed, "group_scaled": .groupScaled, "roll_started": .rollStarted,
        "roll_ended": .rollEnded,
    ]
}
