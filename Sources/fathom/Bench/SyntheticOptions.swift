import ArgumentParser
import Loading
import Model
import Terminal

/// A model without files.
struct SyntheticOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "A published model's shapes with random weights: v2-lite, moonlight, or as many layers and experts of V3 and Kimi-K2 as one device holds.",
            valueName: "shape"))
    var synthetic: SyntheticModel.Shape?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Its layers. Without it, the model's; 4 of a slice.", valueName: "n"))
    var layers: Int?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Its experts a layer. Without it, the model's; 32 of a slice.", valueName: "n"))
    var experts: Int?

    @Option(
        help: ArgumentHelp(
            "Its weights: fp8, in blocks with scales, bf16, int8 in groups of 128, or int4 in groups of 32.",
            valueName: "format"))
    var format: SyntheticModel.Format?

    mutating func validate() throws {
        if synthetic == nil {
            let flags = [("--layers", layers != nil), ("--experts", experts != nil), ("--format", format != nil)]
            if let flag = flags.first(where: \.1) {
                throw ValidationError("\(flag.0): expected with --synthetic, found without")
            }
        }
        for (flag, value, range) in [("--layers", layers, 1...1024), ("--experts", experts, 2...512)] {
            if let value, !range.contains(value) {
                throw ValidationError(
                    "\(flag): expected \(range.lowerBound) to \(range.upperBound), found \(value)")
            }
        }
    }

    /// Nil without `--synthetic`.
    func model() throws -> SyntheticModel? {
        try synthetic.map {
            try SyntheticModel($0, layers: layers, experts: experts, format: format ?? .fp8)
        }
    }
}

extension SyntheticModel.Shape: ExpressibleByArgument {}
extension SyntheticModel.Format: ExpressibleByArgument {}
