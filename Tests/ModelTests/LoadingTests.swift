import FixtureSupport
import GPU
import Testing

@testable import Model

struct LoadingTests {
    /// Ctrl-C while a model is loaded: nothing more is read once `progress` says no.
    @Test(arguments: ["cpu", "vulkan"])
    func loadingStopsWhereItIsTold(_ device: String) throws {
        var calls: [LoadProgress] = []
        #expect(throws: ModelError.failed("loading was interrupted")) {
            try ModelLoader.load(
                source: .folder(try Oracle.v3FP8.folder()), device: DeviceChoice(device == "cpu" ? "cpu" : nil),
                options: LoadOptions(contextTokens: 64)
            ) { progress in
                calls.append(progress)
                return calls.count < 5
            }
        }
        #expect(calls.count == 5 && calls[4].loadedByteCount < calls[4].totalByteCount / 2)
    }

    @Test func progressEndsAtTheWhole() throws {
        var last: LoadProgress?
        _ = try ModelLoader.load(
            source: .folder(try Oracle.v3FP8.folder()), device: .cpu, options: LoadOptions(contextTokens: 64)
        ) { progress in
            #expect(progress.loadedByteCount > last?.loadedByteCount ?? 0)
            last = progress
            return true
        }
        // The prediction's copies of embedding and head, where a checkpoint has them, are not read again.
        #expect(last?.loadedByteCount == last?.totalByteCount)
    }
}
