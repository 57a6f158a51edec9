import Foundation
import Testing

@testable import Profiler

#if canImport(FoundationXML)
    import FoundationXML
#endif

extension Profile {
    /// A profile without rows.
    static func empty(_ mode: Mode) -> Profile {
        let sample = Profile.sample()
        return Profile(mode: mode, header: sample.header, limits: sample.limits, rows: [])
    }

    /// A profile of one isolated kernel: 4 samples, at half the copy rate.
    static func oneRow() -> Profile {
        var profile = empty(.kernels)
        profile.rows = [
            Row(
                kernel: "linear", variant: "gemv 3", shape: "decode q, 1 × 2048 to 3072", dispatchCount: 1,
                byteCount: 8_000_000, flopCount: 16_000_000, samples: [39000, 40000, 40000, 41000], roundSizes: [2, 2],
                yardsticks: [1000, 1000], gap: nil, check: "ok on 3072 values")
        ]
        return profile
    }

    /// Values that no device produces but a file may contain: markup and control characters in names, times that are
    /// not finite or negative, limits of 0, counts at the limits of their types.
    static func absurd() -> Profile {
        var profile = Profile.sample()
        let nasty = "</script><b>&\"'\u{1}\u{1B}[31m\n\t]]>" + String(repeating: "長い🦙", count: 60)
        profile.header.device = nasty
        profile.header.model = nasty
        profile.header.driver = nasty
        profile.header.commandLine = [nasty, String(repeating: "x", count: 400)]
        profile.header.clocks = []
        profile.header.commit = nil
        profile.header.shaders = (0..<90).map {
            .init(name: "shader \($0) \(nasty.prefix(9))", hash: "0123456789abcdef")
        }
        profile.notes = [nasty, ""]
        let samples: [[Double]] = [
            [], [0, 0], [.nan], [.infinity, 1], [-5, -7], [1e300], [1e-300], [3000, 3000, 3000],
        ]
        for (place, samples) in samples.enumerated() {
            for (bytes, flops) in [(0, 0), (Int.max, Int.max), (0, 5), (5, 0), (1, Int.max)] {
                profile.rows.append(
                    Row(
                        kernel: "\(nasty)\(place)", variant: nasty, shape: nasty, dispatchCount: place == 3 ? .max : 1,
                        byteCount: bytes, flopCount: flops, samples: samples,
                        roundSizes: samples.isEmpty ? [] : [samples.count], yardsticks: [],
                        gap: place == 4 ? .nan : nil, check: nasty))
            }
        }
        for (start, end) in [(Double.nan, 1.0), (5, 1), (-.infinity, .infinity), (1e300, 1e301), (0, 0)] {
            var step = profile.steps[0]
            step.phase = "phase \(nasty)"
            step.start = start
            step.end = end
            step.dispatches.append(Dispatch(layer: nasty, operation: nasty, row: 9, start: start, end: end))
            step.host.append(Span(name: nasty, start: start, end: end))
            profile.steps.append(step)
        }
        profile.overhead = Overhead(
            markedEvery: 8, markedStep: .nan, plainStep: 0, attributed: .infinity, clockDeviation: -1)
        return profile
    }

    /// The absurd profile with absurd limits.
    static func absurdLimits(_ value: Double) -> Profile {
        var profile = absurd()
        profile.limits = Limits(
            copyBytesPerSecond: value, fp32FlopsPerSecond: value, fp16FlopsPerSecond: value,
            matrixFlopsPerSecond: value,
            launchNanoseconds: value, markNanoseconds: value)
        return profile
    }
}

/// The profiles with which every output is tested.
enum AnyProfile: String, CaseIterable {
    case sample, large, emptyKernels, emptyRun, oneRow, absurd
    case limitsOfNothing, limitsNotNumbers, limitsBelowZero, limitsInfinite, limitsBeyondReason

    var profile: Profile {
        switch self {
        case .sample: return .sample()
        case .large: return .large(steps: 4)
        case .emptyKernels: return .empty(.kernels)
        case .emptyRun: return .empty(.run)
        case .oneRow: return .oneRow()
        case .absurd: return .absurd()
        case .limitsOfNothing: return .absurdLimits(0)
        case .limitsNotNumbers: return .absurdLimits(.nan)
        case .limitsBelowZero: return .absurdLimits(-1)
        case .limitsInfinite: return .absurdLimits(.infinity)
        case .limitsBeyondReason: return .absurdLimits(1e300)
        }
    }
}

/// Parses a document as XML and collects its elements and texts.
final class XMLReader: NSObject, XMLParserDelegate {
    /// `text`: up to the next element.
    private(set) var elements: [(name: String, attributes: [String: String], text: String)] = []
    private(set) var text = ""
    private(set) var failure: String?

    init(_ document: String) {
        super.init()
        let parser = XMLParser(data: Data(document.utf8))
        parser.delegate = self
        if !parser.parse() { failure = "line \(parser.lineNumber): \(parser.parserError.map { "\($0)" } ?? "not XML")" }
    }

    func parser(
        _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
        attributes: [String: String] = [:]
    ) { elements.append((name, attributes, "")) }

    func parser(_ parser: XMLParser, foundCharacters string: String) {
        text += string
        elements[elements.count - 1].text += string
    }
}
