import FuzzedParsers
import Glibc

/// Which parser this process tries; libFuzzer's own arguments leave no room for it. Without one it lists them.
private let parser: FuzzedParser = {
    let name = getenv("SERGEANTCG_PARSER").map { String(cString: $0) }
    guard let parser = FuzzedParser.all.first(where: { $0.name == name }) else {
        for parser in FuzzedParser.all { print(parser.name, parser.longest) }
        fflush(nil)
        // Not exit(3), which libFuzzer would take for a finding.
        _exit(64)
    }
    return parser
}()

/// libFuzzer, which brings `main`, calls it with each input (https://llvm.org/docs/LibFuzzer.html).
@_cdecl("LLVMFuzzerTestOneInput")
public func tryInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    parser.run(Array(UnsafeBufferPointer(start: start, count: count)))
    return 0
}
