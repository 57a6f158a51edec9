import Glibc
import Synchronization

/// Ctrl-C as a question that the work asks: the first one ends it in good order, the second one the program.
enum Interrupt {
    private static let flag = Atomic(false)

    /// Takes over Ctrl-C. Call it once what blocks without asking, such as reading a prompt, is done.
    static func install() {
        // Touched here so that the handler finds it made.
        flag.store(false, ordering: .relaxed)
        signal(SIGINT) { _ in
            Interrupt.flag.store(true, ordering: .relaxed)
            signal(SIGINT, SIG_DFL)
        }
    }

    /// Gives Ctrl-C back: it ends the program again.
    static func uninstall() { signal(SIGINT, SIG_DFL) }

    static var isRequested: Bool { flag.load(ordering: .relaxed) }
}
