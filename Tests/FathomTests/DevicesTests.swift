import JSON
import Testing

@Suite(.serialized) struct DevicesTests {
    @Test func everyDeviceIsListed() throws {
        let text = try Program.run(["devices"])
        let json = try Program.run(["devices", "--json"])
        #expect(text.status == 0 && json.status == 0)
        let devices = try JSONField(parsing: Array(json.output.utf8), name: "devices").array()
        for (index, device) in devices.enumerated() {
            #expect(try device["index"].int() == index)
            #expect(text.output.contains("\(index): \(try device["name"].string())"))
            #expect(try device["subgroup_size"].int() > 0 && !device["heaps"].array().isEmpty)
        }
    }

    private static let commands = [
        ["chat"], ["generate", "--max-new-tokens", "1", "x"], ["logits", "--tokens", "1", "--out", "/dev/null"],
        ["bench", "--prompt", "1", "--generate", "1", "--repeats", "1"],
    ]

    @Test func withoutADeviceItSaysSo() throws {
        // No driver's manifest is there, so the loader finds none.
        let none = ["VK_ICD_FILENAMES": "/nowhere.json", "VK_DRIVER_FILES": "/nowhere.json"]
        try expectNone("no Vulkan 1.3 device was found: install a driver (Tools/setup does)", none)
    }

    /// A driver that is no library, and one without its device, as distributions install them on every machine.
    @Test func aDriverWithoutADeviceIsNoFailure() throws {
        let folder = try TemporaryFolder()
        let library = try folder.write("driver.so", "not a library")
        let manifest = try folder.write(
            "driver.json",
            "{\"file_format_version\": \"1.0.0\", \"ICD\": {\"api_version\": \"1.3.0\", \"library_path\": \"\(library)\"}}"
        )
        // AMD's, where there is no such card; its library need not be there either.
        for driver in [manifest, "/usr/share/vulkan/icd.d/radeon_icd.json"] {
            let devices = try Program.run(
                ["devices"], environment: ["VK_ICD_FILENAMES": driver, "VK_DRIVER_FILES": driver])
            #expect(devices.status == 0, "\(devices)")
            #expect(devices.errors.contains("no Vulkan 1.3 device was found") || devices.output.contains("0: "))
        }
    }

    @Test func withoutALoaderItSaysSo() throws {
        // What the dynamic linker finds first is no library.
        let folder = try TemporaryFolder()
        for name in ["libvulkan.so.1", "libvulkan.so"] { _ = try folder.write(name, "not a library") }
        try expectNone(
            "the Vulkan loader (libvulkan.so.1) was not found: install it (Debian: libvulkan1)",
            ["LD_LIBRARY_PATH": folder.path])
    }

    /// `devices` says why and succeeds, the CPU works, and what needs a device fails with the reason.
    private func expectNone(_ reason: String, _ environment: [String: String]) throws {
        let text = try Program.run(["devices"], environment: environment)
        #expect(text.status == 0 && text.output.isEmpty)
        #expect(text.errors == "fathom: \(reason); --device cpu works without\n")
        let json = try Program.run(["devices", "--json"], environment: environment)
        #expect(json.status == 0 && json.output == "[]\n")
        for command in Self.commands {
            for device in [[], ["--device", "0"]] {
                let failed = try Program.run(command + device, environment: environment)
                #expect(failed.status == 1 && failed.output.isEmpty)
                #expect(failed.errors == "Error: \(reason), or use --device cpu\n", "\(command)")
            }
            let cpu = try Program.run(command + ["--device", "CPU"], environment: environment)
            #expect(cpu.status == 0 && !cpu.errors.contains("Vulkan"), "\(command) \(cpu)")
        }
        let selfTest = try Program.run(["selftest"], environment: environment)
        #expect(selfTest.status == 1 && selfTest.output.isEmpty && selfTest.errors == "Error: \(reason)\n")
    }

    /// A text that no case contains is an error, so that a check of nothing does not pass.
    @Test func casesAreChosenByTheirDescription() throws {
        let all = try Program.run(["selftest", "gather", "argmax"])
        let some = try Program.run(["selftest", "gather", "argmax", "--case", "gather=BF16"])
        func count(_ result: Program.Result, _ kernel: String) -> Int { result.lines.count { $0.hasPrefix(kernel) } }
        #expect(some.status == 0 && count(some, "argmax") == count(all, "argmax"), "\(some)")
        #expect((1..<count(all, "gather")).contains(count(some, "gather")), "\(some)")
        let none = try Program.run(["selftest", "gather", "--case", "gather=BF17"])
        #expect(none.status == 1 && none.errors.contains("--case gather=BF17: expected part of a case's description"))
    }

    @Test func aDeviceThatIsNotThereIsNamedWithThoseThatAre() throws {
        for command in Self.commands + [["selftest", "argmax"]] {
            for choice in ["7", "nosuchname", ""] {
                let result = try Program.run(command + ["--device", choice])
                #expect(result.status == 1 && result.output.isEmpty, "\(command) \(result)")
                let named = choice.isEmpty ? "\"\"" : choice
                #expect(
                    result.errors.hasPrefix("Error: --device \(named): expected one of: cpu, 0: "), "\(result.errors)")
            }
        }
        #expect(try Program.run(["selftest", "argmax", "--device", "0"]).status == 0)
    }
}
