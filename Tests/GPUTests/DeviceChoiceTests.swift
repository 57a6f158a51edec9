import Testing

@testable import GPU

/// The device that a choice by index or name selects.
struct DeviceChoiceTests {
    private let devices: [(name: String, kind: DeviceProfile.Kind)] = [
        ("llvmpipe (256 bits)", .software), ("Radeon Pro W7900", .discrete), ("Radeon Graphics", .integrated),
        ("Tesla H200", .discrete), ("Tesla H200", .discrete),
    ]

    private func complaint(_ choice: String) -> String {
        do throws(GPUError) { return "chose \(try Device.choose(choice, among: devices))" } catch {
            return error.description
        }
    }

    @Test func theBestKindWithoutAChoice() throws {
        #expect(try Device.choose(nil, among: devices) == 1)
        #expect(try Device.choose(nil, among: Array(devices.prefix(1))) == 0)
    }

    @Test func indicesNamesAndPartsOfThem() throws {
        #expect(try Device.choose("2", among: devices) == 2)
        #expect(try Device.choose("LLVM", among: devices) == 0)
        #expect(try Device.choose("w7900", among: devices) == 1)
        // All of one device's name, though it is a part of another's.
        let alike = [("Radeon Pro W7900", DeviceProfile.Kind.discrete), ("radeon", .integrated)]
        #expect(try Device.choose("Radeon", among: alike) == 1)
        // Equal cards are as good as each other.
        #expect(try Device.choose("tesla", among: devices) == 3)
    }

    @Test func whatNamesNoneOrSeveralIsNamedWithWhatThereIs() {
        let all =
            "expected one of 0: llvmpipe (256 bits), 1: Radeon Pro W7900, 2: Radeon Graphics, 3: Tesla H200, 4: Tesla H200"
        for choice in ["7", "-1", "nosuchname", "99999999999999999999"] {
            #expect(complaint(choice) == "device \(choice): \(all)")
        }
        #expect(complaint("") == "device \"\": \(all)")
        #expect(
            complaint("radeon")
                == "device radeon: expected one device, found several: 1: Radeon Pro W7900, 2: Radeon Graphics")
    }

    @Test func theMachinesOwnDevices() throws {
        let names = try Device.available().map(\.name)
        #expect(try Device.open("0").profile.name == names[0])
        #expect {
            _ = try Device.open("no such device")
        } throws: {
            "\($0)" == "device no such device: expected one of "
                + names.enumerated().map { "\($0): \($1)" }.joined(separator: ", ")
        }
    }
}
