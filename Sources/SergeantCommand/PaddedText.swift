extension String {
    /// Followed by spaces, to so many characters.
    func padded(to width: Int) -> String {
        self + String(repeating: " ", count: max(0, width - count))
    }

    /// Behind spaces, to so many characters.
    func padded(before width: Int) -> String {
        String(repeating: " ", count: max(0, width - count)) + self
    }
}
