import Glibc
import Synchronization
import Testing
import Threads

@testable import Files

/// Files and pipes, and calls that signals interrupt.
@Suite(.serialized) struct DescriptorTests {
    private func pipe() throws -> (reading: Descriptor, writing: Descriptor) {
        var ends: [Int32] = [0, 0]
        try retryingInterrupts { Glibc.pipe(&ends) }
        return (Descriptor(ends[0]), Descriptor(ends[1]))
    }

    /// Interrupts this thread again and again, without restarting its system calls, while `body` runs.
    private func interrupted<R>(_ body: () throws -> R) throws -> R {
        var (action, before) = (sigaction(), sigaction())
        // Without SA_RESTART.
        action.__sigaction_handler.sa_handler = { _ in signalCount.add(1, ordering: .relaxed) }
        sigaction(SIGUSR1, &action, &before)
        defer { sigaction(SIGUSR1, &before, nil) }
        // Dispatch blocks signals on its threads.
        var (signals, blocked) = (sigset_t(), sigset_t())
        sigemptyset(&signals)
        sigaddset(&signals, SIGUSR1)
        pthread_sigmask(SIG_UNBLOCK, &signals, &blocked)
        defer { pthread_sigmask(SIG_SETMASK, &blocked, nil) }
        let sender = Sender(target: pthread_self())
        let thread = try #require(startThread { sender.run() })
        defer {
            sender.isDone.store(true, ordering: .relaxed)
            pthread_join(thread, nil)
        }
        return try body()
    }

    private final class Sender: Sendable {
        let target: pthread_t
        let isDone = Atomic(false)

        init(target: pthread_t) { self.target = target }

        func run() {
            while !isDone.load(ordering: .relaxed) {
                pthread_kill(target, SIGUSR1)
                usleep(200)
            }
        }
    }

    @Test func interruptedCallsAreMadeAgain() throws {
        var calls = 0
        let result = try retryingInterrupts {
            calls += 1
            errno = EINTR
            return calls < 4 ? -1 : 7
        }
        #expect(result == 7 && calls == 4)
        #expect(throws: SystemError(code: ENOSPC)) {
            try retryingInterrupts {
                errno = ENOSPC
                return -1
            }
        }
    }

    /// Both ends are interrupted while they wait: the writer, whose pipe is full, and the reader, whose pipe is empty.
    @Test func signalsLoseNoByte() throws {
        let (reading, writing) = try pipe()
        let sent = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
        signalCount.store(0, ordering: .relaxed)
        let received = try read(reading)
        try interrupted { try writing.write(sent) }
        try writing.close()
        #expect(received() == sent)
        #expect(signalCount.exchange(0, ordering: .relaxed) > 0)

        let (slow, late) = try pipe()
        let writer = try #require(
            startThread {
                usleep(50_000)
                for byte in sent[..<100] { try? late.write([byte]) }
                late.discard()
            })
        let all = try interrupted { try slow.readAll() }
        pthread_join(writer, nil)
        slow.discard()
        #expect(all == Array(sent[..<100]) && signalCount.load(ordering: .relaxed) > 0)
    }

    @Test func aFullNonBlockingPipeIsWaitedFor() throws {
        let (reading, writing) = try pipe()
        _ = fcntl(writing.number, F_SETFL, O_NONBLOCK)
        let sent = (0..<200_000).map { UInt8(truncatingIfNeeded: $0) }
        let reader = try read(reading)
        try writing.write(sent)
        try writing.close()
        #expect(reader() == sent)
    }

    @Test func placesInAFile() throws {
        let (file, path) = try Descriptor.temporary(beside: "/tmp/fathom-files")
        defer { unlink(path) }
        try [UInt8](0..<100).withUnsafeBytes { try file.write($0, at: 10) }
        file.discard()
        let again = try Descriptor.open(path, O_RDONLY)
        defer { again.discard() }
        #expect(try again.status().st_size == 110)
        #expect(try again.bytes(at: 0, count: 12) == Array(repeating: 0, count: 10) + [0, 1])
        #expect(try again.bytes(at: 100, count: 50) == Array(90..<100))
        #expect(try again.readAll().count == 110 && again.read(upTo: 5).isEmpty)
        #expect(throws: SystemError(code: EBADF)) { try again.write([1]) }
    }

    @Test func whatIsMissingSaysSo() throws {
        let error = try #require(throws: SystemError.self) { try Descriptor.open("/nowhere/file", O_RDONLY) }
        #expect(error.isMissing && error.description == "no such file or folder")
        #expect(throws: SystemError(code: ENOENT)) { try folderNames("/nowhere") }
        #expect(throws: SystemError(code: ENOENT)) { try realPath("/nowhere") }
        #expect(try realPath("/tmp/../tmp/.") == "/tmp" && fileStatus("/tmp").st_mode & S_IFMT == S_IFDIR)
    }

    /// Begins to read a pipe a little later, on a thread of its own; the result waits for all of its content.
    private func read(_ pipe: Descriptor) throws -> () -> [UInt8] {
        let content = Content()
        let thread = try #require(
            startThread {
                usleep(20_000)
                // Without all of its content the test fails.
                content.bytes.withLock { $0 = (try? pipe.readAll()) ?? [] }
                pipe.discard()
            })
        return {
            pthread_join(thread, nil)
            return content.bytes.withLock { $0 }
        }
    }

    private final class Content: Sendable { let bytes = Mutex<[UInt8]>([]) }
}

private let signalCount = Atomic(0)
