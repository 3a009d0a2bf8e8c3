internal import Glibc
internal import SergeantCG

extension LogFormat {
    /// The log on a descriptor, or in the journal.
    ///
    /// - Parameter descriptor: where its lines go.
    /// - Parameter instance: the supervisor's name, which its entries in the journal carry.
    /// - Throws: ``SupervisorError`` where the journal was asked for and cannot be had.
    func log(to descriptor: Int32, least: Record.Level, instance: String) throws(SupervisorError)
        -> any ProgramLog
    {
        let identifier = JournalObserver.identifier(ofInstance: instance)
        switch self {
        case .journal:
            return try JournalObserver(identifier: identifier, least: least)
        case .auto where JournalStream.isOurs(descriptor):
            // The variable may have come into a container that has no journald.
            if let log = try? JournalObserver(identifier: identifier, least: least) { return log }
        case .auto, .text, .json: break
        }
        return LogLines(descriptor: descriptor, format: lines(on: descriptor), least: least)
    }
}
