import Glibc
import Synchronization

/// Whether Ctrl-C was pressed, for work that asks from time to time: the first one ends the work, the second the program.
enum Interrupt {
    private static let flag = Atomic(false)

    /// Takes over Ctrl-C. Call it after work that blocks without asking, such as reading a prompt.
    static func install() {
        // Initialised here, before the handler can run.
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
