import GPU
import Numerics
import Shaders

/// The activations of a product y = x · Wᵀ in the forms in which its variants take them, and the constants of its shaders:
/// the common part of `Linear` and `GroupedLinear`.
struct Product: Sendable {
    /// `[T, K], F32`
    var x: Tensor
    /// How x was rounded; its codes for the form `matrix8`.
    var rounding: Rounding
    /// x for the form `matrix`.
    var halves: Halves?
    let format: WeightFormat

    /// Variants for few rows of activations, and for many. More weight rows in a lane share each activation and leave fewer
    /// workgroups, which suits large weights.
    static let fewRows = [VariantOption(.lanes(2), needs: .narrowSubgroups), VariantOption(.rows(4))]
    static let manyRows = [
        VariantOption(.lanes(2, 8), needs: .narrowSubgroups), VariantOption(.lanes(4, 8), needs: .narrowSubgroups),
        VariantOption(.tiles), VariantOption(.matrix, needs: .matrixUnits),
        VariantOption(.matrix8, needs: .fp8MatrixUnits),
    ]

    /// Whether a variant takes weights of this format with activations that were rounded to FP8 or not.
    static func takes(_ variant: Variant, _ format: WeightFormat, isRounded: Bool) -> Bool {
        switch variant.form {
        // FP32 weights would lose most of their bits.
        case .matrix: format != .f32
        case .matrix8: format == .fp8E4M3 && isRounded
        case .rows, .lanes, .tiles: true
        }
    }

    /// - Parameter name: the kernel's, for the message of a programmer's mistake.
    init(x: Tensor, rounding: Rounding, halves: Halves? = nil, format: WeightFormat, of name: String) {
        precondition(x.pitch % 4 == 0, "\(name): \(x.label) has pitch \(x.pitch)")
        precondition(
            rounding.codes.map { $0.fits(x) } ?? true,
            "\(name): codes \(rounding.codes?.codes.shape ?? []) of \(x.shape)")
        precondition(halves.map { $0.fits(x) } ?? true, "\(name): halves \(halves?.x.shape ?? []) of \(x.shape)")
        self.x = x
        self.rounding = rounding
        self.halves = halves
        self.format = format
    }

    var tensors: [Tensor] { x.tensors + halves.tensors + rounding.codes.tensors }

    var tolerance: Tolerance {
        halves != nil ? .halves(with: format) : rounding.codes != nil ? .codes : .sum(of: x.columns)
    }

    /// Rows and weight rows of a workgroup's tile on matrix units.
    static let matrixTile = 64

    /// x as the matrix units of a form take it.
    func matrixInput(_ form: Variant.Form, on profile: DeviceProfile, of name: String) -> MatrixInput {
        let tensors = form == .matrix8 ? rounding.codes?.tensors : halves?.tensors
        let tiles = form == .matrix8 ? profile.matrix8Tiles : profile.matrixTiles
        guard let tensors, let tiles else {
            preconditionFailure("\(name): the form \(form.rawValue) without its activations or without matrix units")
        }
        return MatrixInput(x: tensors[0], scales: tensors[1], format: format, tiles: tiles)
    }

    func tileConstants<C: TileConstants>(_ tile: Int) -> C {
        C(format: format.constant, tile: UInt32(tile), threads: UInt32(2 * tile))
    }
}

extension Product: TensorHolder {}

/// Activations on matrix units: FP16 or FP8 values with scales.
struct MatrixInput {
    let x, scales: Tensor
    fileprivate let format: WeightFormat
    fileprivate let tiles: DeviceProfile.MatrixTiles

    func constants<C: MatrixConstants>() -> C {
        C(
            format: format.constant, m: UInt32(tiles.shape.m), n: UInt32(tiles.shape.n), k: UInt32(tiles.shape.k),
            requiredSubgroup: UInt32(tiles.subgroup), threads: UInt32(4 * tiles.subgroup))
    }
}

extension Weight {
    /// The constants of the forms `rows` and `lanes`.
    func formConstants<C: FormConstants>(_ variant: Variant, tokens: Int = 1, on profile: DeviceProfile) -> C {
        C(
            format: formatConstant, rows: UInt32(variant.rows), tokens: UInt32(tokens),
            subgroup: variant.subgroup(on: profile), quadsAtOnce: profile.quadsAtOnce)
    }
}

// MARK: The shaders' constants by form

protocol TileConstants { init(format: UInt32, tile: UInt32, threads: UInt32) }
extension LinearTilesShader.Constants: TileConstants {}
extension GroupedLinearTilesShader.Constants: TileConstants {}

protocol MatrixConstants {
    init(format: UInt32, m: UInt32, n: UInt32, k: UInt32, requiredSubgroup: UInt32, threads: UInt32)
}
extension LinearMatrixShader.Constants: MatrixConstants {}
extension LinearMatrix8Shader.Constants: MatrixConstants {}
extension GroupedLinearMatrixShader.Constants: MatrixConstants {}
extension GroupedLinearMatrix8Shader.Constants: MatrixConstants {}

protocol FormConstants { init(format: UInt32, rows: UInt32, tokens: UInt32, subgroup: UInt32, quadsAtOnce: UInt32) }
extension GroupedLinearLanesShader.Constants: FormConstants {}
extension ExpertGateUpShader.Constants: FormConstants {}
extension ExpertDownShader.Constants: FormConstants {}
extension MlaValueShader.Constants: FormConstants {}
