import SergeantCG

extension FuzzedParser {
    /// What an earlier image of the program hands over.
    static let state = [
        FuzzedParser("upgrade-state", longest: 16_384) { bytes in
            if let sentence = UpgradeArrival.fault(inState: bytes) {
                must(!sentence.isEmpty, "no sentence")
            }
        }
    ]
}
