/// Words that a person may have meant.
package enum Misspelling {
    /// Which of the words this one is, but for one letter that is wrong, missing, too many, or two that changed places.
    package static func meant(by word: String, of words: some Sequence<String>) -> String? {
        words.first { isOneSlipAway(Array(word), Array($0)) }
    }

    private static func isOneSlipAway(_ word: [Character], _ other: [Character]) -> Bool {
        let head = zip(word, other).prefix { $0 == $1 }.count
        let tail = zip(word.dropFirst(head).reversed(), other.dropFirst(head).reversed()).prefix { $0 == $1 }
            .count
        let rest = word[head..<(word.count - tail)]
        let wanted = other[head..<(other.count - tail)]
        if rest.count == 2, wanted.count == 2 { return rest.elementsEqual(wanted.reversed()) }
        return max(rest.count, wanted.count) == 1
    }
}
