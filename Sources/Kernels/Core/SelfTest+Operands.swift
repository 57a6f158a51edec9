import GPU

/// Compares a kernel's declaration of its operands with its dispatches.
extension SelfTest {
    /// An operand that is declared as write-only but holds values before the test, so that the test could
    /// not detect a read of them. Nil if all write-only operands hold the poison.
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
    /// declaration agrees with the recorded dispatches.
    static func misdeclared(_ operands: [KernelOperand], by dispatches: [MarkedCommand]) -> String? {
        var written = Set<ObjectBox>()
        for dispatch in dispatches {
            for (view, access) in dispatch.accesses {
                guard let operand = operand(holding: view, operands) else {
                    return "\(dispatch.name) binds \(view.allocation.label), which is no operand"
                }
                if access != .read && operand.access != .read {
                    written.insert(ObjectBox(object: operand.tensor.storage))
                } else if access == .write {
                    return "\(dispatch.name) writes \(operand.tensor.label), which is declared as read"
                }
            }
        }
        let forgotten = operands.first {
            $0.access != .read && !written.contains(ObjectBox(object: $0.tensor.storage))
        }
        return forgotten.map { "no dispatch binds \($0.tensor.label) for writing, which is declared as \($0.access)" }
    }

    /// An operand that is declared as read and that a dispatch changed, where the shader's other uses may write the buffer.
    static func changed(
        _ operands: [KernelOperand], by dispatches: [MarkedCommand], _ transfer: inout Transfer
    ) throws(GPUError) -> String? {
        for dispatch in dispatches {
            for (view, access) in dispatch.accesses where access == .readWrite {
                guard let operand = operand(holding: view, operands), operand.access == .read else { continue }
                let storage = operand.tensor.storage
                if try !download(storage, &transfer).elementsEqual(storage.host!) {
                    return "\(dispatch.name) changed \(operand.tensor.label), which is declared as read"
                }
            }
        }
        return nil
    }

    /// The operand that a view is a part of; a written one if there are several.
    private static func operand(holding view: BufferView, _ operands: [KernelOperand]) -> KernelOperand? {
        let holding = operands.filter { $0.contains(view) }
        return holding.first { $0.access != .read } ?? holding.first
    }
}

extension KernelOperand {
    fileprivate func contains(_ view: BufferView) -> Bool {
        let own = tensor.view
        return own.allocation === view.allocation && own.offset <= view.offset
            && view.offset + view.byteCount <= own.offset + own.byteCount
    }
}
