extension ControlClient {
    /// What runs and what it uses, read and as it was answered.
    ///
    /// - Throws: ``SupervisorError`` where it is not answered, or not with a status.
    package func status() throws(SupervisorError) -> (report: StatusReport, text: String) {
        let answer = try call("GetStatus").parameters
        guard let report = StatusReport(json: answer) else {
            throw SupervisorError(.unreachable, "the supervisor at \(path) answered what is no status")
        }
        return (report, String(decoding: answer, as: UTF8.self))
    }
}
