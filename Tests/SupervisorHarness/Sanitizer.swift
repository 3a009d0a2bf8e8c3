internal import Glibc

/// The sanitizer that the tests and the program are built for, where `scripts/test --sanitize` runs them.
package enum Sanitizer {
    /// There is one: it holds on to what was freed, and takes terabytes of addresses, so that what the program takes of
    /// memory cannot be told.
    package static let isThere = getenv("SERGEANTCG_SANITIZER") != nil
}
