import FixtureSupport
import GPU
import Testing

@testable import Loading
@testable import Model

struct LoadingTests {
    /// Ctrl-C while a model is loaded: nothing more is read once `progress` says no.
    @Test(arguments: ["cpu", "vulkan"])
    func loadingStopsWhereItIsTold(_ device: String) throws {
        var calls: [LoadProgress] = []
        #expect(throws: ModelError.interrupted) {
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

    /// The prediction's copies of embedding and head are not read, nor do they count.
    @Test(arguments: [Oracle.v3FP8, .v2LiteBF16]) func progressEndsAtTheWhole(_ oracle: Oracle) throws {
        var last = LoadProgress(loadedByteCount: 0, totalByteCount: 0)
        _ = try ModelLoader.load(
            source: .folder(try oracle.folder()), device: .cpu, options: LoadOptions(contextTokens: 64)
        ) { progress in
            #expect(progress.loadedByteCount > last.loadedByteCount)
            last = progress
            return true
        }
        #expect(last.loadedByteCount > 1 << 20 && last.loadedByteCount == last.totalByteCount)
    }
}
