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

    @Test func withoutADeviceItSaysSo() throws {
        // No driver's manifest is there, so the loader finds none.
        let none = ["VK_ICD_FILENAMES": "/nowhere.json", "VK_DRIVER_FILES": "/nowhere.json"]
        let text = try Program.run(["devices"], environment: none)
        #expect(text.status == 0 && text.output.isEmpty)
        #expect(text.errors.contains("--device cpu works"), "\(text.errors)")
        let json = try Program.run(["devices", "--json"], environment: none)
        #expect(json.status == 0 && json.output == "[]\n")
    }
}
