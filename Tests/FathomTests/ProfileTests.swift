import Foundation
import JSON
import Testing

/// `fathom profile` as a user runs it.
@Suite(.serialized) struct ProfileTests {
    @Test func aModelsStepsAreTimed() throws {
        let folder = try TemporaryFolder()
        let files = ["json", "csv", "html", "svg", "trace.gz"].map { "\(folder.path)/out.\($0)" }
        let result = try Program.run([
            "profile", "run", "--prompt", "70", "--generate", "12", "--json", files[0], "--csv", files[1], "--html",
            files[2], "--svg", files[3], "--trace", files[4],
        ])
        #expect(result.status == 0, "\(result)")
        #expect(result.lines.allSatisfy { $0.count <= 120 }, "\(result.output)")
        for text in ["mla_absorbed", "next limit:", "of device time attributed", "layers 1–5"] {
            #expect(result.output.contains(text), "\(text) in\n\(result.output)")
        }
        let json = try JSONField(parsing: Array(Data(contentsOf: URL(fileURLWithPath: files[0]))), name: files[0])
        let steps = try json["steps"].array()
        #expect(try Set(steps.map { try $0["phase"].string() }) == ["prefill", "decode"])
        let decode = try #require(try steps.last { try $0["phase"].string() == "decode" })
        // In order, one after another: six layers, each with attention and experts or the dense network.
        let dispatches = try decode["dispatches"].array()
        let starts = try dispatches.map { try $0["start_ns"].double() }
        #expect(starts == starts.sorted())
        // Its low rank ends within a block of scales: one product more than a published model's.
        let layers = try Dictionary(grouping: dispatches.map { try $0["layer"].string() }, by: { $0 })
        for layer in 0..<6 { #expect(layers["layer \(layer)"]?.count == 13, "layer \(layer)") }
        let places = try dispatches.map { "\(try $0["layer"].string()), \(try $0["operation"].string())" }
        #expect(places.first == "the inputs, inputs" && places.last == "the head, head")
        #expect(Set(places).isSuperset(of: ["layer 0, feed-forward", "layer 5, attention", "layer 5, experts"]))
        // Every dispatch of the twelve decoded tokens is counted in a row, and none twice.
        let counted = try json["rows"].array().filter { try $0["shape"].string().hasPrefix("decode ") }
            .reduce(0) { try $0 + $1["uses"].int() * $1["dispatches"].int() }
        #expect(counted == 12 * dispatches.count)
        let html = try String(contentsOfFile: files[2], encoding: .utf8)
        #expect(html.hasPrefix("<!DOCTYPE html>") || html.hasPrefix("<!doctype html>"))
        #expect(try Data(contentsOf: URL(fileURLWithPath: files[4])).prefix(2) == Data([0x1F, 0x8B]))
    }

    /// What is in the rows is all that the device did. Others on the machine stretch single steps, and not all alike: one
    /// profile of five without them.
    @Test func deviceTimeIsFoundAgain() throws {
        let folder = try TemporaryFolder()
        let file = "\(folder.path)/a.json"
        var found: [Double] = []
        while found.count < 5 && !found.contains(where: { (0.7...1.5).contains($0) }) {
            let result = try Program.run(["profile", "run", "--prompt", "70", "--generate", "12", "--json", file])
            #expect(result.status == 0, "\(result)")
            let json = try JSONField(parsing: Array(Data(contentsOf: URL(fileURLWithPath: file))), name: file)
            found.append(try json["overhead"]["attributed"].double())
        }
        #expect(found.contains { (0.7...1.5).contains($0) }, "\(found)")
    }

    @Test func aProfileIsComparedWithItself() throws {
        let folder = try TemporaryFolder()
        let file = "\(folder.path)/a.json"
        let made = try Program.run([
            "profile", "kernels", "swiglu", "--shapes", "small", "--prompt", "4", "--batch", "3", "--seconds", "0.05",
            "--cache", "1", "--json", file,
        ])
        #expect(
            made.status == 0 && made.output.contains("decode swiglu: 3 ×")
                && made.output.contains("prefill swiglu: 4 ×"),
            "\(made)")
        let same = try Program.run(["profile", "compare", file, file])
        #expect([0, 3].contains(same.status) && !same.output.contains("slower\n"), "\(same)")
        // RFC 4180 ends lines with CR and LF.
        let csv = try Program.run(["profile", "compare", "--csv", file, file])
        let ends = csv.output.unicodeScalars.filter { $0 == "\r" }.count
        #expect(ends > 1 && ends == csv.output.unicodeScalars.filter { $0 == "\n" }.count, "\(csv)")
        let json = try Program.run(["profile", "compare", "--json", file, file])
        #expect(try JSONField(parsing: Array(json.output.utf8), name: "stdout")["rows"].array().count == 2)
    }

    @Test(arguments: [
        (["profile", "kernels", "nothing"], 64, "nothing: expected a kernel: "),
        (
            ["profile", "kernels", "--shapes", "v9"], 1,
            "--shapes v9: expected v3, v2-lite, moonlight, kimi-k2, small or the path"
        ),
        (["profile", "kernels", "--shapes", "/nowhere/config.json"], 1, "/nowhere/config.json"),
        (["profile", "kernels", "--batch", "65"], 64, "--batch: expected 1 to 64, found 65"),
        (["profile", "kernels", "--prompt", "0"], 64, "--prompt: expected 1 to 65536, found 0"),
        (["profile", "kernels", "--prompt", "2000"], 64, "--prompt: expected at most --context (1024), found 2000"),
        (["profile", "kernels", "--seconds", "-1"], 64, "--seconds: expected more than 0"),
        (
            ["profile", "kernels", "--json", "/nowhere/a.json"], 1,
            "/nowhere/a.json: expected a folder that can be written"
        ),
        (["profile", "kernels", "--sort", "size"], 64, "expected one of kernel, variant"),
        (["profile", "kernels", "--device", "cpu"], 64, "--device cpu: expected a Vulkan device"),
        (["profile", "kernels", "--device", "7"], 1, "--device 7: expected one of"),
        (["profile", "run", "--device", "cpu"], 64, "--device cpu: expected a Vulkan device"),
        (["profile", "run", "--generate", "0"], 64, "--generate: expected 1 to"),
        (["profile", "run", "--prompt", "90", "--context", "95"], 1, "expected at most 95 tokens together, found 154"),
        (["profile", "compare", "/nowhere/a.json", "/nowhere/b.json"], 1, "/nowhere/a.json"),
    ])
    func whatIsWrongIsNamed(arguments: [String], status: Int, message: String) throws {
        let result = try Program.run(arguments)
        #expect(result.status == Int32(status) && result.errors.contains(message), "\(result)")
        #expect(result.output.isEmpty)
    }

    @Test func whatIsNoProfileIsNamed() throws {
        let folder = try TemporaryFolder()
        let file = try folder.write("a.json", "{\"format\": \"something else\"}")
        let result = try Program.run(["profile", "compare", file, file])
        #expect(result.status == 1 && result.errors.contains("a.json: format: expected fathom-profile"), "\(result)")
    }
}
