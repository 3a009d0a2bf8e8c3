/// The program's own log, in whatever form.
package protocol ProgramLog: BufferedObserver {
    /// Waits a moment for a slow reader: the last words before the process ends.
    func finish()
}
