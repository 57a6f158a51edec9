import GPU
import Shaders
import Testing

@testable import Kernels

/// The wrappers' statements about their shaders and variants, for all kernels of the catalogue.
struct CatalogueRuleTests {
    @Test func namesAreUnique() {
        let names = Catalogue.tested.map { $0.name }
        #expect(Set(names).count == names.count)
    }

    /// A rule for a shader that does not exist would never be applied.
    @Test func everyCodeRuleIsForAShader() {
        let shaders = Set(AllShaders.modules.map(\.name))
        for rule in Catalogue.codeRules { #expect(shaders.contains(rule.shader), "\(rule.shader): no such shader") }
        #expect(Set(Catalogue.codeRules.map(\.shader)).count == Catalogue.codeRules.count)
    }

    /// A shader that declares cooperative matrices must be compiled to matrix instructions.
    @Test func everyMatrixShaderHasARule() throws {
        let rules = Dictionary(uniqueKeysWithValues: Catalogue.codeRules.map { ($0.shader, $0.units) })
        let shaders = AllShaders.modules.filter { $0.capabilities.contains("cooperativeMatrix") }
        #expect(shaders.count > 5)
        for shader in shaders {
            #expect(
                rules[shader.name, default: .any] != .any, "\(shader.name): no rule that demands matrix instructions")
        }
    }

    /// Each kernel with variants has one that runs on every device.
    @Test func someVariantNeedsNothing() {
        let kernels = Catalogue.tested.compactMap { $0 as? any ChosenKernel.Type }
        #expect(kernels.count > 5)
        for kernel in kernels {
            #expect(
                kernel.variants.contains { $0.needs.description == DeviceNeed.nothing.description }, "\(kernel.name)")
            let names = kernel.variants.map(\.variant.name)
            #expect(Set(names).count == names.count && Catalogue.variantNames[kernel.name] == names, "\(kernel.name)")
        }
    }
}
