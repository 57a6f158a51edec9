import GPU
import Kernels
import Model
import Numerics
import Program

/// One kernel at one shape: the copies of its operands, and the times of its rounds so far.
final class KernelRounds {
    /// Copies of the operands and pairs of marks in a round, at most.
    private static let mostCopies = 128
    private static let mostPairs = 24
    /// A pair of marks should span at least so many nanoseconds, and so many times the cost of the marks, so that neither the
    /// clock's resolution nor the marks matter.
    private static let leastSpan = 20_000.0
    private static let leastMarks = 60.0
    /// With more operations the reference takes seconds; more tokens would check the same code again.
    private static let mostCheckedFlops = 3_000_000_000

    private let device: Device
    private let copies: [any Kernel]
    private let benches: [Workbench]
    private let evicting: LimitCopy?
    private let limits: Profile.Limits
    private let yardstick: LimitFMA
    private let isPlanted: Bool
    private var commands: Commands
    /// Uses between two marks, and pairs of marks in a round.
    private var usesOfPair = 1
    private var pairsOfRound = 1
    /// The next copy to use; each round continues where the last one ended.
    private var place = 0
    private var start = 0.0
    private(set) var row: Profile.Row
    let byteCount: Int

    init(
        _ shaped: ShapedCase, device: Device, coldByteCount: Int, isPlanted: Bool, limits: Profile.Limits
    ) throws(ProfilerError) {
        self.device = device
        self.limits = limits
        var original = Workbench(on: device, seed: 1)
        let kernel = try onDevice { () throws(GPUError) in try shaped.make(&original, shaped.tokenCount) }
        let check = try Self.check(shaped, kernel, original)
        let (copies, benches) = try onDevice { () throws(GPUError) in
            try Self.copies(of: shaped, original, coldByteCount)
        }
        let byteCount = benches[0].byteCount * copies.count
        (self.copies, self.benches, self.byteCount) = (copies, benches, byteCount)
        // Where the copies are too small to drive each other out of the caches, a copy of other memory does it.
        (evicting, yardstick) = try onDevice { () throws(GPUError) in
            var evicting: LimitCopy?
            var bench = Workbench(on: device, seed: 1)
            if byteCount < coldByteCount {
                let words = coldByteCount / 2 / 16 * 4
                evicting = LimitCopy(
                    x: try bench.unfilled("evict from", words: words), y: try bench.unfilled("evict to", words: words))
            }
            let threads = device.profile.kind == .software ? 1 << 10 : 1 << 18
            // It lasts milliseconds: a shorter one would be as uncertain as the times that are compared with it.
            let yardstick = LimitFMA(y: try bench.output("yardstick", .f32, [1, threads]), rounds: 8192, isHalf: false)
            return (evicting, yardstick)
        }
        commands = try onDevice { () throws(GPUError) in
            try Commands(on: device, timestampCapacity: 2 * Self.mostPairs + 4)
        }
        self.isPlanted = isPlanted
        let cost = copies[0].cost
        let summary = copies[0].summary
        row = Profile.Row(
            kernel: shaped.kernel, variant: "",
            shape: summary.hasPrefix(shaped.name) ? "\(shaped.phase) \(summary)" : "\(shaped.label): \(summary)",
            dispatchCount: 0,
            byteCount: cost.byteCount, flopCount: cost.flopCount, samples: [], roundSizes: [], yardsticks: [],
            check: check)
    }

    /// Compares this use of the kernel with the reference, or one with so few tokens that the reference takes seconds at most.
    /// Afterwards the original's operands are on the device.
    private static func check(
        _ shaped: ShapedCase, _ kernel: any Kernel, _ original: Workbench
    ) throws(ProfilerError) -> String {
        let flops = kernel.cost.flopCount
        // The number of operations is nearly proportional to the tokens; with one token it is always small enough.
        let tokens =
            flops <= mostCheckedFlops
            ? shaped.tokenCount : max(1, shaped.tokenCount * (mostCheckedFlops >> 20) / (flops >> 20))
        let outcome = try onDevice { () throws(GPUError) in
            if tokens == shaped.tokenCount {
                return try SelfTest.check(kernel, label: shaped.label, on: original.device!)
            }
            var bench = Workbench(on: original.device, seed: 1)
            try original.upload()
            return try SelfTest.check(try shaped.make(&bench, tokens), label: shaped.label, on: original.device!)
        }
        if let failure = outcome.failure {
            throw .wrongResult(kernel: shaped.kernel, shape: shaped.label, failure: failure)
        }
        return tokens == shaped.tokenCount ? "ok" : "ok with \(tokens) tokens"
    }

    /// The kernel on copies of its operands, which take `coldByteCount` together or are as many as a round uses.
    private static func copies(
        of shaped: ShapedCase, _ original: Workbench, _ coldByteCount: Int
    ) throws(GPUError) -> ([any Kernel], [Workbench]) {
        let count = max(2, min(mostCopies, (coldByteCount + original.byteCount - 1) / original.byteCount))
        var kernels: [any Kernel] = []
        var benches: [Workbench] = []
        for _ in 0..<count {
            var bench = Workbench(again: original)
            kernels.append(try shaped.make(&bench, shaped.tokenCount))
            try bench.copyContents(of: original)
            benches.append(bench)
        }
        return (kernels, benches)
    }

    // MARK: Rounds

    /// Compiles the pipelines, and finds how many uses a pair of marks must span and how many pairs a round has time for.
    func warmUp(_ options: KernelProfiler.Options) throws(GPUError) {
        commands.marking = Marking()
        try commands.begin()
        try copies[0].encode(into: &commands)
        try commands.submit()
        try commands.wait()
        let marked = commands.marked
        row.dispatchCount = marked.count
        row.variant = variantText(marked)
        row.code = compiledCode(of: marked, on: device)
        commands.marking = nil
        pairsOfRound = 2
        let time = max(median(try pairs().samples), 100)
        let span = max(Self.leastSpan, Self.leastMarks * limits.markNanoseconds)
        usesOfPair = max(1, min(copies.count / 2, Int((span / time).rounded(.up))))
        let room = options.seconds * 1e9 / Double(options.leastRounds) / (time * Double(usesOfPair))
        pairsOfRound = max(2, min(copies.count / usesOfPair, Self.mostPairs, Int(min(room, 1e6))))
    }

    func next() throws(GPUError) {
        if start == 0 { start = StepTimeline.now() }
        let (samples, yardstick) = try pairs()
        row.samples += samples
        row.roundSizes.append(samples.count)
        row.yardsticks.append(yardstick)
    }

    func isDone(_ options: KernelProfiler.Options) -> Bool {
        let rounds = row.roundSizes.count
        // An interval needs six rounds at least; a kernel that takes seconds has fewer.
        if row.total * 1e-9 > options.seconds * (rounds < 6 ? 4 : 1) { return true }
        if rounds < options.leastRounds { return false }
        if rounds >= options.mostRounds || (StepTimeline.now() - start) * 1e-9 > options.seconds * 8 { return true }
        return (medianUncertainty(row.roundMedians) ?? 1) <= KernelProfiler.wantedUncertainty
    }

    /// One round: the time of a use for each pair of marks, and the mean time of the yardstick before and after.
    private func pairs() throws(GPUError) -> (samples: [Double], yardstick: Double) {
        try commands.begin()
        try evicting?.encode(into: &commands)
        try pair { (commands) throws(GPUError) in try yardstick.encode(into: &commands) }
        for _ in 0..<pairsOfRound {
            try pair { (commands) throws(GPUError) in
                for use in 0..<usesOfPair {
                    if use > 0 { commands.separate() }
                    try encode(copies[place], &commands)
                    place = (place + 1) % copies.count
                }
            }
        }
        try pair { (commands) throws(GPUError) in try yardstick.encode(into: &commands) }
        try commands.submit()
        try commands.wait()
        let times = try commands.timestamps()
        let spans = stride(from: 0, to: times.count - 1, by: 2).map {
            max(times[$0 + 1] - times[$0] - limits.markNanoseconds, 0)
        }
        return (
            spans.dropFirst().dropLast().map { $0 / Double(usesOfPair) }, (spans[0] + spans[spans.count - 1]) / 2
        )
    }

    /// The kernel; a planted one with a tenth of every dispatch once more after it.
    private func encode(_ kernel: any Kernel, _ commands: inout Commands) throws(GPUError) {
        guard isPlanted else { return try kernel.encode(into: &commands) }
        var list = Commands(listingFor: device)
        try kernel.encode(into: &list)
        for dispatch in list.dispatches {
            try commands.dispatch(dispatch)
            if let part = dispatch.part(0.1) { try commands.dispatch(part) }
        }
    }

    private func pair(_ encode: (inout Commands) throws(GPUError) -> Void) throws(GPUError) {
        commands.separate()
        _ = commands.timestamp(.start)
        try encode(&commands)
        _ = commands.timestamp(.end)
    }
}

extension Dispatch {
    /// The first workgroups of this dispatch, a share of them; nil if their number is read on the device.
    func part(_ share: Double) -> Dispatch? {
        guard case .fixed(let x, let y, let z) = groups else { return nil }
        // Rounding the longest side comes nearest to the share.
        var sides = [x, y, z]
        let longest = sides.indices.max { sides[$0] < sides[$1] }!
        sides[longest] = max(1, Int((Double(sides[longest]) * share).rounded()))
        var part = self
        part.groups = .fixed(sides[0], sides[1], sides[2])
        return part
    }
}

extension Workbench {
    var byteCount: Int { tensors.reduce(0) { $0 + $1.storage.byteCount } }

    /// Uploads the tensors that were filled on the host.
    func upload() throws(GPUError) {
        var transfer = Transfer(on: device!)
        for tensor in tensors { try SelfTest.upload(tensor.storage, &transfer) }
        try transfer.finish()
    }

    /// Copies another bench's tensors into these, one by one, on the device.
    func copyContents(of original: Workbench) throws(GPUError) {
        var commands = try Commands(on: device!)
        try commands.begin()
        for (source, target) in zip(original.tensors, tensors) {
            commands.copy(from: source.storage.device!, to: target.storage.device!)
        }
        try commands.submit()
        try commands.wait()
    }
}
