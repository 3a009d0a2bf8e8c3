import Glibc
import SupervisorHarness
import Testing

/// As process 1 of a container.
extension Systemd {
    @Suite(.serialized) struct Container {
        @Test func theImageIsForAnOrdinaryUser() throws {
            let podman = try Podman(.root)
            let user = try podman.must("image", "inspect", "--format", "{{.Config.User}}", Podman.image)
            #expect(user == "65532:65532")
        }

        @Test func aReadOnlyHierarchyIsRefusedWithTheFlagToAdd() throws {
            let podman = try Podman(.root)
            let (status, output) = try podman(
                "run", "--rm", "--network=none", "--user=0", Podman.image, "--memory-max", "64M", "--",
                "sleep", "9")
            #expect(status == .code(69), "\(output)")
            #expect(output.contains("podman run --security-opt unmask=/sys/fs/cgroup"), "\(output)")
        }

        /// The container's cgroup is its root's, and the image's user is another.
        @Test func anOrdinaryUserIsToldWhoseTheCgroupIs() throws {
            let podman = try Podman(.root)
            let (status, output) = try podman(
                "run", "--rm", "--network=none", Podman.unmasked, Podman.image, "--memory-max", "64M", "--",
                "sleep", "9")
            #expect(status == .code(69), "\(output)")
            #expect(output.contains("podman run --user 0"), "\(output)")
        }

        @Test(arguments: [Podman.User.root, .ordinary])
        func aWorkerKilledAtItsLimitIsReplacedWhileTheContainerLives(_ user: Podman.User) throws {
            let podman = try Podman(user)
            let options = ["--concurrent-workers", "2", "--memory-max", "32M"]
            try podman.withContainer(
                [Podman.unmasked, "--user=0"], options, worker: ["allocate", "64M", "3000"]
            ) { (supervisor, name) throws in
                try supervisor.waitFor("supervisor_ready", within: .seconds(60))
                let first = try podman.firstProcess(of: name)
                try podman.must("exec", name, "sergeantcg", "status", "--check", "live")
                try supervisor.waitFor("worker_exited") { $0.reason == "oom_killed" }
                try supervisor.waitFor("worker_started") { $0.incarnation == 2 }
                #expect(try podman.firstProcess(of: name) == first)
                #expect(ProcessFacts(first).runs)
                try podman.must("stop", "--time", "60", name)
                try supervisor.waitFor("supervisor_stopped")
                #expect(try supervisor.waitForExit() == .code(0))
            }
        }

        @Test func processOneReapsAThousandOrphans() throws {
            let podman = try Podman(.root)
            try podman.withContainer([Podman.unmasked, "--user=0"], worker: ["orphans", "1000"]) {
                (supervisor, name) throws in
                try supervisor.waitForOutput(within: .seconds(120)) { $0 == "orphaned 1000" }
                let first = try podman.firstProcess(of: name)
                let children = "/proc/\(first)/task/\(first)/children"
                // The worker is left.
                try pollUntil("they are reaped") {
                    (TextFile.read(children) ?? "").split(separator: " ").count == 1
                }
                #expect(supervisor.lines.count { $0.event == "worker_exited" } == 0)
                try podman.must("stop", "--time", "60", name)
                #expect(try supervisor.waitForExit() == .code(0))
            }
        }

        @Test func aStopLetsWorkersCleanUpWithinTheGraceTime() throws {
            let podman = try Podman(.root)
            try podman.withContainer(
                [Podman.unmasked, "--user=0"], ["--stop-timeout", "60"], worker: ["clean-up", "300"]
            ) { (supervisor, name) throws in
                try supervisor.waitForOutput(within: .seconds(60)) { $0 == "ready" }
                try podman.must("stop", "--time", "60", name)
                #expect(try supervisor.waitForExit() == .code(0))
                // SIGKILL, at the end of the grace time, would leave neither.
                #expect(supervisor.outputLines.contains("cleaned 1"))
                try supervisor.waitFor("supervisor_stopped")
            }
        }

        @Test func aPodOfFourWorkersSaysWhetherItIsLiveAndReady() throws {
            let podman = try Podman(.root)
            let pod = "\(Podman.directory)/pod.yaml"
            defer { _ = try? podman("kube", "down", "--force", pod) }
            try podman.must("kube", "play", "--network=none", pod)
            let status = ["exec", "workers-pool", "sergeantcg", "status"]
            try pollUntil("the pod is ready") {
                try podman.run(status + ["--check", "ready"]).status == .code(0)
            }
            // The liveness probe, once.
            try podman.must("healthcheck", "run", "workers-pool")
            let workers = try podman.run(status + ["--json"]).output
            #expect(workers.split(separator: #""max":33554432"#).count == 5, "\(workers)")
            try podman.must("kube", "down", pod)
        }
    }
}
