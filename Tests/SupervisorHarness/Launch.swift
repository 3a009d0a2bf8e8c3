/// How a supervisor under test is started.
package struct Launch: Sendable {
    /// Where it finds itself.
    package enum Place: Hashable, Sendable {
        /// In a fresh cgroup of its own, as a container or a delegated unit would be. It may use it as it likes.
        case ownCgroup
        /// In the cgroup the test is in. In the hierarchy's root it makes a subtree `sergeantcg-NAME`.
        case inherited
        /// In this cgroup, a directory that another supervisor under test had before it.
        case existing(String)
    }

    /// What its standard input is.
    package enum Input: Hashable, Sendable {
        case nothing
        /// Bytes, then the end.
        case text(String)
        /// A terminal that controls it; its output stays apart. ``SupervisorProcess/type(_:)`` types on it.
        case terminal
    }

    /// The arguments of `sergeantcg`. `--log-format json` and `--name` are put before them unless switched off.
    package var arguments: [String]
    package var place = Place.ownCgroup
    /// The program, if not the one that `SERGEANTCG_BINARY` names.
    package var binary: String?
    /// Put in place of, or added to, what the test has; nil removes.
    package var environment: [String: String?] = [:]
    /// Delegates its own cgroup to this user, as systemd would; `wrapper` is to become that user.
    package var owner: UInt32?
    package var workingDirectory: String?
    package var input = Input.nothing
    /// A command that ends in running what follows it: `["setpriv", "--reuid", "65534", …]`.
    package var wrapper: [String] = []
    /// False for a test that says these things itself.
    package var addsLogFormat = true
    package var addsName = true
    /// Bytes the log's pipe holds; nil is a megabyte, so that a test that looks elsewhere loses no line.
    package var logPipeSize: Int32?

    package init(_ arguments: [String] = []) {
        self.arguments = arguments
    }

    /// `options -- command`.
    package init(_ options: [String], command: [String]) {
        arguments = options + ["--"] + command
    }
}
