import GPU

/// Compares a kernel's declaration of its operands with its dispatches.
extension SelfTest {
    /// An operand that the kernel is to write without reading it, and that holds values before the test: the test would
    /// not see them read. Nil if all hold the poison.
    static func unpoisoned(_ operands: [KernelOperand]) -> String? {
        for operand in operands where operand.access == .write {
            let tensor = operand.tensor
            let size = tensor.type.byteCount
            for row in 0..<tensor.rows {
                let first = tensor.byteOffset + row * tensor.pitch * size
                for byte in first..<first + tensor.columns * size
                where tensor.storage.host![byte] != UInt8(truncatingIfNeeded: Workbench.poison >> (byte % 4 * 8)) {
                    return "\(tensor.label) is declared as written, and row \(row) holds values before"
                }
            }
        }
        return nil
    }

    /// A buffer that a dispatch binds and no operand covers, or a written operand that no dispatch binds. Nil if the
    /// declaration agrees with the dispatches, which have run.
    static func misdeclared(
        _ operands: [KernelOperand], by dispatches: [MarkedCommand], _ transfer: inout Transfer
    ) throws(GPUError) -> String? {
        var written = Set<ObjectBox>()
        for dispatch in dispatches {
            for (view, access) in dispatch.accesses {
                let holding = operands.filter { $0.contains(view) }
                guard let operand = holding.first(where: { $0.access != .read }) ?? holding.first else {
                    return "\(dispatch.name) binds \(view.allocation.label), which is no operand"
                }
                let tensor = operand.tensor
                switch (access, operand.access) {
                case (.read, _): break
                case (_, .write), (_, .readWrite): written.insert(ObjectBox(object: tensor.storage))
                case (.write, .read): return "\(dispatch.name) writes \(tensor.label), which is declared as read"
                case (.readWrite, .read):
                    // Another use of the same shader writes it.
                    guard try download(tensor.storage, &transfer).elementsEqual(tensor.storage.host!) else {
                        return "\(dispatch.name) changed \(tensor.label), which is declared as read"
                    }
                }
            }
        }
        let forgotten = operands.first {
            $0.access != .read && !written.contains(ObjectBox(object: $0.tensor.storage))
        }
        return forgotten.map { "no dispatch binds \($0.tensor.label) for writing, which is declared as \($0.access)" }
    }
}

extension KernelOperand {
    fileprivate func contains(_ view: BufferView) -> Bool {
        let own = tensor.view
        return own.allocation === view.allocation && own.offset <= view.offset
            && view.offset + view.byteCount <= own.offset + own.byteCount
    }
}
