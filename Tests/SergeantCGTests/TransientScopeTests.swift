import SergeantCG
import Testing

@Suite struct TransientScopeTests {
    @Test(arguments: [
        ("default", "sergeantcg-default-7.scope"), ("a/b c", "sergeantcg-a_b_c-7.scope"),
        ("\u{e9}\n@%", "sergeantcg-____-7.scope"), ("x_1-2.3:4", "sergeantcg-x_1-2.3:4-7.scope"),
    ])
    func aUnitsNameHasWhatSystemdAllows(_ instance: String, _ unit: String) {
        #expect(TransientScope.unitName(instance: instance, process: 7) == unit)
    }

    @Test func aUnitsNameIsNotTooLong() {
        let unit = TransientScope.unitName(instance: String(repeating: "n", count: 4096), process: .max)
        #expect(unit.utf8.count < 256)
    }

    @Test(arguments: [
        ("/run/user/1000/bus", "unix:path=/run/user/1000/bus"),
        ("/tmp/a;b,c=%\u{e9}", "unix:path=/tmp/a%3bb%2cc%3d%25%c3%a9"),
    ])
    func noPathIsTakenForMoreThanOneAddress(_ path: String, _ address: String) {
        #expect(TransientScope.address(path) == address)
    }
}
