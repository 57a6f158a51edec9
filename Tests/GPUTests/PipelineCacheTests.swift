import FixtureSupport
import Foundation
import Testing

@testable import GPU

/// The file of compiled pipelines: a driver gets undamaged data of its own user and device only, and no fault of the file is an
/// error.
struct PipelineCacheTests {
    private let temporary: TemporaryFolder
    private let cache: PipelineCache
    private let owner = PipelineCache.Owner(
        deviceUUID: Array(0..<16), driverVersion: 7, pipelineCacheUUID: Array(100..<116))
    private let data = (0..<1003).map { UInt8(truncatingIfNeeded: $0 &* 37) }

    init() throws {
        temporary = try TemporaryFolder()
        // The folder and the one around it are not there yet.
        cache = PipelineCache(folder: temporary.path + "/caches/fathom", shaders: 1)
    }

    private var file: URL { URL(fileURLWithPath: cache.path(of: owner)) }

    @Test func whatWasWrittenIsRead() throws {
        #expect(cache.read(owner) == nil)
        #expect(cache.write(data, owner))
        #expect(cache.read(owner) == data)
        #expect(cache.write([1], owner))
        #expect(cache.read(owner) == [1])
        #expect(try FileManager.default.contentsOfDirectory(atPath: cache.folder) == [file.lastPathComponent])
    }

    @Test func noOneElseMayReadIt() throws {
        cache.write(data, owner)
        for (path, mode) in [(cache.folder, 0o700), (file.path, 0o600)] {
            #expect(try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int == mode)
        }
    }

    /// A change of any byte or of the length is noticed.
    @Test func aDamagedFileIsPassedOver() throws {
        cache.write(data, owner)
        let whole = try Data(contentsOf: file)
        for index in whole.indices {
            var damaged = whole
            damaged[index] ^= 0x10
            try damaged.write(to: file)
            #expect(cache.read(owner) == nil, "byte \(index)")
        }
        for count in [0, 1, 40, whole.count - data.count, whole.count - 1] {
            try whole.prefix(count).write(to: file)
            #expect(cache.read(owner) == nil, "\(count) bytes")
        }
        try (whole + [0]).write(to: file)
        #expect(cache.read(owner) == nil)
        // What is passed over is written anew.
        #expect(cache.write(data, owner) && cache.read(owner) == data)
    }

    @Test func anothersPipelinesArePassedOver() throws {
        cache.write(data, owner)
        var others = [owner, owner, owner]
        others[0].deviceUUID[3] = 99
        others[1].driverVersion = 8
        others[2].pipelineCacheUUID[15] = 0
        for other in others {
            // Also where the file has the other's name.
            if cache.path(of: other) != file.path {
                try FileManager.default.copyItem(atPath: file.path, toPath: cache.path(of: other))
            }
            #expect(cache.read(other) == nil)
        }
        let rebuilt = PipelineCache(folder: cache.folder, shaders: 2)
        #expect(rebuilt.read(owner) == nil)
        #expect(rebuilt.write([5], owner) && rebuilt.read(owner) == [5] && cache.read(owner) == nil)
    }

    /// A missing folder, a file in place of the folder, a link or a folder in place of the file.
    @Test func whereNothingCanBeWrittenNothingIs() throws {
        let blocked = temporary.path + "/blocked"
        try Data().write(to: URL(fileURLWithPath: blocked))
        for folder in [blocked, blocked + "/fathom", "/proc/fathom", temporary.path + "/no/such/folder"] {
            let cache = PipelineCache(folder: folder, shaders: 1)
            #expect(!cache.write(data, owner) && cache.read(owner) == nil, "\(folder)")
        }
        #expect(try Data(contentsOf: URL(fileURLWithPath: blocked)).isEmpty)

        cache.write(data, owner)
        let elsewhere = temporary.path + "/elsewhere"
        try FileManager.default.moveItem(atPath: file.path, toPath: elsewhere)
        try FileManager.default.createSymbolicLink(atPath: file.path, withDestinationPath: elsewhere)
        #expect(cache.read(owner) == nil, "a link is followed")
        try FileManager.default.removeItem(at: file)
        try FileManager.default.createDirectory(at: file, withIntermediateDirectories: false)
        #expect(cache.read(owner) == nil && !cache.write(data, owner))
        #expect(try FileManager.default.contentsOfDirectory(atPath: cache.folder).count == 1, "a file was left")
    }

    /// A reader always finds the complete data of one writer.
    @Test func writersAtOnceDoNoHarm() async throws {
        cache.write([0], owner)
        let (cache, owner) = (cache, owner)
        await withTaskGroup(of: Void.self) { group in
            for writer in 1...4 {
                group.addTask {
                    let mine = [UInt8](repeating: UInt8(writer), count: 5000 * writer)
                    for _ in 0..<50 { #expect(cache.write(mine, owner)) }
                }
            }
            group.addTask {
                for _ in 0..<200 {
                    let found = cache.read(owner)
                    let writer = Int(found?.first ?? 255)
                    #expect(found == [UInt8](repeating: UInt8(writer), count: max(1, 5000 * writer)))
                }
            }
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: cache.folder).count == 1)
    }

    @Test func theFolderIsTheUsersOwn() {
        func folder(_ variables: [String: String]) -> String? {
            PipelineCache.standardFolder { variables[$0] }
        }
        #expect(folder(["XDG_CACHE_HOME": "/c", "HOME": "/h"]) == "/c/fathom")
        #expect(folder(["XDG_CACHE_HOME": "", "HOME": "/h"]) == "/h/.cache/fathom")
        #expect(folder(["XDG_CACHE_HOME": "relative", "HOME": "/h"]) == "/h/.cache/fathom")
        #expect(folder(["HOME": ""]) == nil && folder([:]) == nil)
    }
}
