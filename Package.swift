// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

let package = Package(
    name: "sergeantcg",
    products: [
        .library(name: "CgroupKit", targets: ["CgroupKit"]),
        .library(name: "SergeantCG", targets: ["SergeantCG"]),
        .executable(name: "sergeantcg", targets: ["SergeantCommand"]),
        .executable(name: "sergeantcg-exporter", targets: ["SergeantExporter"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
    ],
    targets: [
        .target(name: "CSystemd"),
        .systemLibrary(name: "CYAML", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
        .target(name: "CLinux"),
        .target(name: "CgroupKit", dependencies: ["CLinux"], swiftSettings: strict),
        .target(name: "Supervision", swiftSettings: strict),
        .target(
            name: "SergeantCG",
            dependencies: [
                "CLinux", "CSystemd", "CYAML", "CgroupKit", "Supervision",
                .product(name: "Logging", package: "swift-log"),
            ],
            resources: [
                .embedInCode("Launcher/launcher.py"),
                .embedInCode("Control/io.sergeantcg.Supervisor.varlink"),
                .embedInCode("Control/org.varlink.service.varlink"),
            ],
            swiftSettings: strict),
        .executableTarget(
            name: "SergeantCommand",
            dependencies: [
                "CLinux", "CgroupKit", "SergeantCG", "Supervision",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict),
        // HTTP is in a program of its own.
        .executableTarget(
            name: "SergeantExporter",
            dependencies: [
                "SergeantCG",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            resources: [.embedInCode("page.html"), .embedInCode("page.css"), .embedInCode("page.js")],
            swiftSettings: strict),
        .executableTarget(
            name: "embedding-example",
            dependencies: ["SergeantCG", .product(name: "Logging", package: "swift-log")],
            path: "Examples/Embedding", swiftSettings: strict),
        // Every parser of outside bytes, with what must be true of it; Tests/Fuzzing/Corpus is tried by SergeantCGTests.
        .target(
            name: "FuzzedParsers", dependencies: ["CgroupKit", "SergeantCG", "Supervision"],
            path: "Tests/Fuzzing/Parsers", swiftSettings: strict),
        // Pure: runs anywhere.
        .testTarget(
            name: "CgroupKitTests", dependencies: ["CLinux", "CgroupKit"], swiftSettings: strict),
        .testTarget(
            name: "SergeantCGTests",
            dependencies: [
                "CLinux", "FuzzedParsers", "SergeantCG", "SergeantCommand", "SupervisorHarness",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict),
        // Needs root and a writable cgroup2 mount; no controller.
        .testTarget(
            name: "NativeCgroupTests", dependencies: ["CLinux", "CSupervisorHarness", "CgroupKit"],
            swiftSettings: strict),
        .target(
            name: "SupervisionSimulation", dependencies: ["Supervision"],
            path: "Tests/SupervisionSimulation/Simulator", swiftSettings: strict),
        .executableTarget(
            name: "supervision-simulation", dependencies: ["Supervision", "SupervisionSimulation"],
            path: "Tests/SupervisionSimulation/Command", swiftSettings: strict),
        .testTarget(
            name: "SupervisionTests", dependencies: ["Supervision", "SupervisionSimulation"],
            swiftSettings: strict),
        // The program seen from outside, and a worker in plain C for it.
        .target(
            name: "SupervisorHarness", dependencies: ["CLinux", "CSupervisorHarness"],
            path: "Tests/SupervisorHarness",
            swiftSettings: strict),
        .target(name: "CSupervisorHarness", path: "Tests/CSupervisorHarness"),
        .executableTarget(name: "TestWorker", path: "Tests/TestWorker"),
        // Needs root and a writable cgroup2 mount; no controller.
        .testTarget(
            name: "NativeSupervisorTests", dependencies: ["SupervisorHarness"], swiftSettings: strict),
        // Needs a cgroup2 with the memory controller.
        .testTarget(
            name: "KernelTests", dependencies: ["SupervisorHarness"], exclude: ["Workers"],
            swiftSettings: strict),
        // Needs a machine whose process 1 is systemd: scripts/kernels/qemu.
        .testTarget(
            name: "SystemdTests", dependencies: ["CLinux", "SupervisorHarness"], swiftSettings: strict),
    ]
)
