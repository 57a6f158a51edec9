import GPU
import JSON
import Kernels
import Loading
import Model

/// The machine's Vulkan devices, or why there are none. None is not a failure: the CPU can do everything.
enum VulkanDevices {
    case found([DeviceProfile])
    case none(reason: String)

    static func look() throws(GPUError) -> VulkanDevices {
        do throws(GPUError) {
            let profiles = try Device.available()
            return profiles.isEmpty ? .none(reason: ErrorAdvice.noDevice) : .found(profiles)
        } catch {
            switch error.result {
            case .noLoader: return .none(reason: ErrorAdvice.noLoader)
            // The loader's answer where no driver is installed, as well as for drivers that are too old.
            case .incompatibleDriver: return .none(reason: ErrorAdvice.noDevice)
            default: throw error
            }
        }
    }
}

extension DeviceChoice {
    /// The value of `--device`; an error where it calls for Vulkan and there is none.
    init(checking text: String?) throws {
        self.init(text)
        if case .vulkan = self, case .none(let reason) = try VulkanDevices.look() {
            throw CommandError("\(reason), or use --device cpu")
        }
    }
}

/// The fastest variant of each kernel on a device, as `fathom tune` measured it; kept between runs.
///
/// It only saves time: a file that is missing, damaged or of another device, driver or build is ignored.
struct TuningFile {
    let path: String
    private let cache: PipelineCache
    private var shaders: String { String(cache.shaders, radix: 16) }

    /// Nil without a home.
    init?(for profile: DeviceProfile) {
        guard let cache = Catalogue.pipelineCache else { return nil }
        self.cache = cache
        path = cache.path("tuning", for: profile)
    }

    /// Variants by choice; empty where nothing usable is kept.
    func read() -> [String: String] {
        guard let bytes = try? Input.file(path), let file = try? JSONField(parsing: bytes, name: path),
            (try? file["shaders"].string()) == shaders, let members = try? file["choices"].object()
        else { return [:] }
        return Dictionary(members.compactMap { member in (try? member.field.string()).map { (member.key, $0) } }) { $1 }
    }

    func write(_ choices: [String: String]) throws {
        // If this fails, the write below reports why.
        cache.makeFolder()
        let members = choices.sorted { $0.key < $1.key }.map { JSONMember($0.key, JSONValue($0.value)) }
        let file = JSONValue.object([
            JSONMember("shaders", JSONValue(shaders)), JSONMember("choices", .object(members)),
        ])
        try AtomicFile.write(file.serialized(pretty: true) + "\n", to: path)
    }
}
