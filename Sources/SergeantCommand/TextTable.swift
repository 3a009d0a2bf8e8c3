/// Columns for a person's eyes: a name at the left, then cells that end below one another.
struct TextTable {
    /// Of the name, and of each cell with the space before it.
    let name: Int
    let cells: [Int]

    /// What is wider than its column moves the rest to the right.
    func row(_ name: String, _ cells: String...) -> String {
        let padded = zip(cells, self.cells).map { cell, width in " " + cell.padded(before: width - 1) }
        return name.padded(to: self.name) + padded.joined()
    }
}
