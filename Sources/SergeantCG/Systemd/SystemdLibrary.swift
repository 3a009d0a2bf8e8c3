internal import Glibc

/// libsystemd, which is loaded when something of it is first called.
enum SystemdLibrary {
    /// What a negative result of its calls says.
    static func words(for result: Int32) -> String {
        // What CSystemd returns in its place.
        guard result != -ELIBACC else {
            return "libsystemd.so.0, of systemd 240 or later, cannot be loaded: install it"
        }
        return String(cString: strerror(-result))
    }
}
